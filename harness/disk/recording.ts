/** Runs a target once on a real file system over a recording disk, and keeps the disk's whole life. */
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Target } from '../core/target.js';
import { workerTarget } from '../subjects/builtin.js';
import { createSubject } from '../subjects/create.js';
import { Zygote } from '../subjects/zygote.js';
import { controlLines, firstFault, mountedMark, type DiskFaults } from './faults.js';
import { type FileSystem, makeImage } from './file-systems.js';
import { fill } from './filler.js';
import { lookAt, Looks } from './folder-look.js';
import type { MappedExtent } from './line-process.js';
import { onRecordedDisk, type RecordedDisk } from './recorded-disk.js';
import { ackMark, beginMark } from './trace-index.js';

/** The target's folder, in the root of the file system. */
export const dataFolder = 'data';
/** The file system's log is emptied so often (in commits): recovery takes as long as the log is. */
const quiesceEvery = 10;
const limits = { timeMs: 60_000, rssBytes: 1024 ** 3, outputBytes: 64 * 1024 ** 2 };

export interface Recording {
  fs: FileSystem;
  base: string;
  trace: string;
  /** Where files lay after so many commits. */
  maps: { commit: number; extents: MappedExtent[] }[];
  /** What the target's files held at its acks; only of a target that waits for our answer to them. */
  looks?: Looks;
  /** The newest acked commit. */
  acked: number;
  /** What the target printed, and how it ended if not as it should. */
  log: string;
  trouble: string | null;
  /** How it ended, where the disk's errors may have ended it: then that is no trouble. */
  error?: string | null;
  /** Requests that the disk refused. */
  refused?: number;
  /** Bytes of the disk that were ever changed, where that was counted. */
  changed?: number;
  /** What may have gone wrong beside the target; null: nothing. */
  warning?: string | null;
  millis: number;
}

export interface RecordOptions {
  target: Target;
  seed: number;
  commits: number;
  fs: FileSystem;
  /** An empty folder for image and trace. */
  folder: string;
  faults?: DiskFaults;
}

/** Rejects where the machine cannot do it or our own parts fail; a target's failure is `trouble`. */
export async function record(options: RecordOptions): Promise<Recording> {
  const { folder, fs, target, faults = {} } = options;
  const { result, files, summary } = await onRecordedDisk(
    { folder, fs, what: 'the recording' },
    (image) => makeImage(fs, image),
    async (disk) => {
      const { recorder, place, mark } = disk;
      await place.mount();
      mkdirSync(path.join(place.folder, dataFolder));
      await place.quiesce();
      for (const line of controlLines(faults)) await recorder.ask(line);
      mark(beginMark);
      return new Run(options, disk).go();
    },
  );
  const recording = { fs, ...files, ...result, changed: told(summary, 'changed') };
  if (target.kind === 'backend' && recording.acked < 0 && recording.trouble === null) {
    recording.trouble = 'nothing was committed';
  }
  return { ...recording, refused: told(summary, 'failed'), warning: memoryWarning(summary) };
}

/** A number of the recorder's last line. */
export function told(summary: string, name: string): number {
  return Number(new RegExp(` ${name} (\\d+)`).exec(summary)?.[1] ?? 0);
}

function memoryWarning(summary: string): string | null {
  const errno = told(summary, 'unlocked');
  return errno === 0
    ? null
    : `the recording disk's memory could not be locked (errno ${errno}): where memory is short the recording may hang; raise the limit (ulimit -l unlimited) or give CAP_IPC_LOCK`;
}

type Outcome = Pick<Recording, 'maps' | 'looks' | 'acked' | 'log' | 'trouble' | 'error' | 'millis'>;
type Work = Pick<Outcome, 'acked' | 'log' | 'trouble'>;

/** A command's only pause is the one after its set-up; a backend can be stopped after any commit and opened again. */
export const canPause = (target: Target): boolean => target.kind === 'backend';

class Run {
  private readonly maps: Recording['maps'] = [];
  private readonly looks = new Looks();
  private readonly dir: string;
  private holding: Promise<void> = Promise.resolve();
  private readonly faults: DiskFaults;

  constructor(
    private readonly options: RecordOptions,
    private readonly disk: RecordedDisk,
  ) {
    this.dir = path.join(disk.place.folder, dataFolder);
    this.faults = options.faults ?? {};
  }

  async go(): Promise<Outcome> {
    const started = performance.now();
    const work = this.options.target.kind === 'backend' ? await this.runBackend() : await this.runCommand();
    // Who waits for a mark that never came is told so.
    await this.disk.recorder.ask('healthy');
    await this.holding;
    const expected = this.mayFail() && work.acked >= 0;
    return {
      ...work,
      trouble: expected ? null : work.trouble,
      error: expected ? work.trouble : null,
      maps: this.maps,
      looks: this.looks,
      millis: performance.now() - started,
    };
  }

  private mayFail(): boolean {
    return this.faults.errors !== undefined || this.faults.full !== undefined;
  }

  /** Empties the log and notes where files lie now. */
  private async settle(commit: number): Promise<void> {
    // A file system with a broken disk may wait for it for ever.
    if (commit >= firstFault(this.faults)) return;
    await this.disk.place.quiesce();
    this.maps.push({ commit, extents: await this.disk.place.map() });
  }

  /** Between two processes of the workload. */
  private async pause(commit: number): Promise<void> {
    if (this.faults.remountAfter === commit) {
      await this.disk.place.unmount();
      await this.disk.place.mount();
      statSync(this.dir); // so that this is not what meets the first error
      this.disk.mark(mountedMark);
    }
  }

  private async fill(commit: number): Promise<void> {
    const { full } = this.faults;
    if (full?.where !== 'file-system' || full.afterCommit !== commit) return;
    await fill(this.disk.place.folder, full.leaveBytes);
    await this.disk.place.quiesce();
  }

  /** The same in the midst of a run: the workload waits where it writes its mark. */
  private async fillWhileHeld(): Promise<void> {
    const { full } = this.faults;
    if (full?.where !== 'file-system') return;
    if ((await this.disk.recorder.ask(`hold ack_${full.afterCommit}`)) !== 'held') return;
    try {
      await this.fill(full.afterCommit);
    } finally {
      await this.disk.recorder.ask('release');
    }
  }

  /** Commits after which the workload is stopped and goes on in a new process. */
  private stops(): number[] {
    const { commits } = this.options;
    const { remountAfter } = this.faults;
    const stops = new Set([commits, remountAfter ?? commits]);
    for (let stop = quiesceEvery; stop < commits; stop += quiesceEvery) stops.add(stop);
    return [...stops].sort((a, b) => a - b);
  }

  private async runBackend(): Promise<Work> {
    const { target, seed } = this.options;
    if (target.kind !== 'backend') throw new Error('no backend');
    const zygote = new Zygote();
    const logs: string[] = [];
    let acked = -1;
    let done = 0;
    this.holding = this.fillWhileHeld();
    this.holding.catch(() => undefined); // told where it is awaited
    try {
      for (const stop of this.stops()) {
        const answer = await zygote.run({
          op: 'run',
          target: workerTarget(target),
          dir: this.dir,
          seed,
          create: acked < 0,
          plan: null,
          commits: stop - done,
          marks: this.disk.marksFile,
          limits,
        });
        done = stop;
        logs.push(answer.log);
        acked = Math.max(acked, answer.acked);
        if (answer.result?.outcome !== 'done') {
          const why =
            answer.result?.reason ?? `signal ${answer.end.signal ?? '-'}, exit ${answer.end.exit ?? '-'}`;
          if (!this.mayFail()) await this.settle(acked);
          return { acked, log: logs.join('\n'), trouble: `the workload did not end: ${why}` };
        }
        await this.settle(acked);
        await this.pause(stop);
      }
      return { acked, log: logs.join('\n'), trouble: null };
    } finally {
      await zygote.close();
    }
  }

  private async runCommand(): Promise<Work> {
    const { target, seed, commits } = this.options;
    const zygote = new Zygote();
    const subject = createSubject(target, zygote);
    try {
      const made = await subject.setup(this.dir, seed);
      if (made.end !== 'exited' || made.exit !== 0) {
        return {
          acked: -1,
          log: made.log,
          trouble: `the set-up failed: ${made.detail ?? `exit ${made.exit ?? '?'}`}`,
        };
      }
      this.disk.mark(ackMark(0));
      this.looks.take(0, lookAt(this.dir));
      await this.settle(0);
      await this.fill(0);
      await this.pause(0);
      const ran = await subject.run(this.dir, seed, undefined, {
        commits,
        onCommit: async (commit) => {
          this.disk.mark(ackMark(commit));
          this.looks.take(commit, lookAt(this.dir));
          if (commit % quiesceEvery === 0) await this.settle(commit);
          await this.fill(commit);
        },
      });
      if (ran.acked >= commits || !this.mayFail()) await this.settle(ran.acked);
      const fine = ran.acked >= commits || (ran.end === 'exited' && !this.mayFail());
      const trouble = fine ? null : (ran.detail ?? ran.end);
      return { acked: ran.acked, log: ran.log, trouble };
    } finally {
      await subject.close();
      await zygote.close();
    }
  }
}
