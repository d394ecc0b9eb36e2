/** Runs a target once on a real file system over a recording disk, and keeps the disk's whole life. */
import { mkdirSync, openSync, closeSync, writeSync } from 'node:fs';
import path from 'node:path';
import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import type { Target } from '../core/target.js';
import { workerTarget } from '../subjects/builtin.js';
import { createSubject } from '../subjects/create.js';
import { Zygote } from '../subjects/zygote.js';
import { makeImage, type FileSystem } from './file-systems.js';
import { LineProcess, type MappedExtent } from './line-process.js';
import { ackMark, beginMark } from './trace-index.js';

/** The target's folder, in the root of the file system. */
export const dataFolder = 'data';
/** The file system's log is emptied so often (in commits): recovery takes as long as the log is. */
const freezeEvery = 10;
const limits = { timeMs: 60_000, rssBytes: 1024 ** 3, outputBytes: 64 * 1024 ** 2 };

export interface DiskFaults {
  lyingFlush?: boolean;
  delayMicros?: number;
}

export interface Recording {
  fs: FileSystem;
  base: string;
  trace: string;
  /** Where files lay after so many commits. */
  maps: { commit: number; extents: MappedExtent[] }[];
  /** The newest acked commit. */
  acked: number;
  /** What the target printed, and how it ended if not as it should. */
  log: string;
  trouble: string | null;
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
  const { folder, fs, target, faults } = options;
  const base = path.join(folder, 'base.img');
  const trace = path.join(folder, 'trace');
  const fuse = path.join(folder, 'fuse');
  const mount = path.join(folder, 'mount');
  mkdirSync(fuse);
  mkdirSync(mount);
  await makeImage(fs, base);
  const recorder = await LineProcess.start('record', '--image', base, '--trace', trace, '--mount', fuse);
  let recording: Recording;
  try {
    const hand = await LineProcess.start('hand');
    try {
      const device = await hand.ask(`attach ${path.join(fuse, 'disk')} direct`);
      const mounted = await hand.ask(
        `mount ${device} ${mount} ${fs.type} ${fs.options === '' ? '-' : fs.options}`,
      );
      if (mounted !== '') throw new Error(`a fresh ${fs.name} cannot be mounted: ${mounted}`);
      const run = new Run(
        options,
        hand,
        mount,
        openSync(path.join(fuse, 'mark'), 'w'),
        path.join(fuse, 'mark'),
      );
      try {
        mkdirSync(path.join(mount, dataFolder));
        await hand.ask(`freeze ${mount}`);
        if (faults?.delayMicros !== undefined) await recorder.ask(`delay-micros ${faults.delayMicros}`);
        if (faults?.lyingFlush === true) await recorder.ask('lying-flush 1');
        run.mark(beginMark);
        recording = { fs, base, trace, ...(await run.go()) };
        if (faults?.lyingFlush === true) await recorder.ask('lying-flush 0');
      } finally {
        run.close();
      }
      await hand.ask(`unmount ${mount}`);
    } finally {
      await hand.close();
    }
  } finally {
    await recorder.close('quit');
  }
  const summary = await recorder.line().catch((error: unknown) => (error as Error).message);
  if (!summary.startsWith('done ')) {
    throw new PlugpullError(`the recording did not end well: ${summary}`, exitCodes.ownFailure);
  }
  if (target.kind === 'backend' && recording.acked < 0 && recording.trouble === null) {
    recording.trouble = 'nothing was committed';
  }
  return recording;
}

type Outcome = Pick<Recording, 'maps' | 'acked' | 'log' | 'trouble' | 'millis'>;

class Run {
  private readonly maps: Recording['maps'] = [];
  private readonly dir: string;

  constructor(
    private readonly options: RecordOptions,
    private readonly hand: LineProcess,
    private readonly mount: string,
    private readonly marks: number,
    private readonly marksFile: string,
  ) {
    this.dir = path.join(mount, dataFolder);
  }

  mark(text: string): void {
    writeSync(this.marks, text);
  }

  close(): void {
    closeSync(this.marks);
  }

  async go(): Promise<Outcome> {
    const started = performance.now();
    const outcome =
      this.options.target.kind === 'backend' ? await this.runBackend() : await this.runCommand();
    return { ...outcome, maps: this.maps, millis: performance.now() - started };
  }

  /** Empties the log and notes where files lie now. */
  private async settle(commit: number): Promise<void> {
    await this.hand.ask(`freeze ${this.mount}`);
    this.maps.push({ commit, extents: await this.hand.map(`map ${this.mount}`) });
  }

  private async runBackend(): Promise<Pick<Outcome, 'acked' | 'log' | 'trouble'>> {
    const { target, seed, commits } = this.options;
    if (target.kind !== 'backend') throw new Error('no backend');
    const zygote = new Zygote();
    const logs: string[] = [];
    let acked = -1;
    try {
      for (let done = 0; done < commits; done += freezeEvery) {
        const answer = await zygote.run({
          op: 'run',
          target: workerTarget(target),
          dir: this.dir,
          seed,
          create: done === 0,
          plan: null,
          commits: Math.min(freezeEvery, commits - done),
          marks: this.marksFile,
          limits,
        });
        logs.push(answer.log);
        acked = Math.max(acked, answer.acked);
        await this.settle(acked);
        if (answer.result?.outcome !== 'done') {
          const why =
            answer.result?.reason ?? `signal ${answer.end.signal ?? '-'}, exit ${answer.end.exit ?? '-'}`;
          return { acked, log: logs.join('\n'), trouble: `the workload did not end: ${why}` };
        }
      }
      return { acked, log: logs.join('\n'), trouble: null };
    } finally {
      await zygote.close();
    }
  }

  private async runCommand(): Promise<Pick<Outcome, 'acked' | 'log' | 'trouble'>> {
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
      this.mark(ackMark(0));
      await this.settle(0);
      const ran = await subject.run(this.dir, seed, undefined, {
        commits,
        onCommit: async (commit) => {
          this.mark(ackMark(commit));
          if (commit % freezeEvery === 0) await this.settle(commit);
        },
      });
      await this.settle(ran.acked);
      const trouble = ran.acked >= commits || ran.end === 'exited' ? null : (ran.detail ?? ran.end);
      return { acked: ran.acked, log: ran.log, trouble };
    } finally {
      await subject.close();
      await zygote.close();
    }
  }
}
