/** Inside user-mode Linux: takes jobs from the folder that it shares with the controller, one at a time. See protocol.ts. */
import { execa } from 'execa';
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CampaignContext, NewFinding } from '../campaign/context.js';
import { DiskEngine, presenterOf } from '../campaign/disk-engine.js';
import { Tally } from '../campaign/tally.js';
import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { version } from '../core/version.js';
import { diskStateSchema, readDiskBundle, replayDiskState, writeDiskBundle } from '../disk/bundle.js';
import { copyReadable } from './copy-readable.js';
import {
  answersFile,
  bootFile,
  jobFile,
  stopFile,
  type Answer,
  type Boot,
  type ConfirmJob,
  type ExploreJob,
  type Job,
} from './protocol.js';
import { Witness } from './witness.js';

const lookMillis = 20;
const aliveMillis = 500;

class Guest {
  private readonly answers: number;
  private findings = 0;
  private stopped = false;
  private readonly witness: Witness;

  constructor(
    private readonly folder: string,
    private readonly boot: Boot,
  ) {
    this.witness = new Witness(folder);
    this.answers = openSync(path.join(folder, answersFile), 'a');
  }

  async serve(): Promise<never> {
    setInterval(() => {
      this.stopped ||= existsSync(path.join(this.folder, stopFile));
      this.say({ type: 'alive' });
    }, aliveMillis);
    this.say({ type: 'ready' });
    for (let number = 1; ; number++) {
      const job = await this.job(number);
      try {
        if (job.kind === 'explore') await this.explore(job);
        else if (job.kind === 'replay') await this.replay(job.file);
        else await this.confirm(job);
        this.say({ type: 'done' });
      } catch (error) {
        this.say(failure(error));
      }
    }
  }

  private async job(number: number): Promise<Job> {
    const file = path.join(this.folder, jobFile(number));
    while (!existsSync(file)) await sleep(lookMillis);
    return JSON.parse(readFileSync(file, 'utf8')) as Job;
  }

  private async explore(job: ExploreJob): Promise<void> {
    const context: CampaignContext = {
      seed: job.seed,
      shard: job.shard,
      runFolder: this.boot.work,
      workFolder: this.boot.work,
      scratchFolder: this.boot.work,
      jobs: 1,
      tally: new Tally(),
      done: new Set(),
      emit: (event) => this.say({ type: 'event', event }),
      addFinding: (finding) => {
        this.say({ type: 'finding', finding: this.handOver(finding) });
        return null;
      },
      stopping: () => this.stopped,
    };
    const engine = new DiskEngine([job.target], job.options, this.witness.watched(presenterOf));
    await engine.run(context, { millis: job.millis, trials: job.states }, job.index);
  }

  private async replay(file: string): Promise<void> {
    const bundle = readDiskBundle(file);
    if (bundle === null) throw new PlugpullError(`${file} holds no crash state of a disk`, exitCodes.usage);
    const folder = path.join(this.boot.work, 'replay');
    mkdirSync(folder);
    this.say({ type: 'judged', judgement: await replayDiskState(bundle, folder) });
    rmSync(folder, { recursive: true });
  }

  private async confirm(job: ConfirmJob): Promise<void> {
    const { target, seed, unit, fs, state, acked, times } = job;
    const folder = path.join(this.boot.work, 'confirm');
    mkdirSync(folder);
    const [base, trace] = [path.join(folder, 'base'), path.join(folder, 'trace')];
    await execa('cp', ['--sparse=always', job.base, base]);
    await execa('cp', [job.trace, trace]);
    const recording = { fs, base, trace };
    const source = await presenterOf({ target, seed, unit, recording, folder });
    const saved = path.join(folder, 'saved');
    await source.save(state, saved);
    const bundle = path.join(this.folder, 'crash.plugpull');
    const verdict = 'unrecoverable';
    const explanation = 'the kernel of user-mode Linux crashed when it was shown this state';
    const { name, type, options } = fs;
    const manifest = {
      target,
      seed,
      fs: { name, type, options },
      acked: { first: acked, last: acked },
      recoveries: { times, sameBytes: false },
      verdict,
      explanation,
    } as const;
    writeDiskBundle(bundle, { schema: diskStateSchema, version, ...manifest }, saved);
    this.say({ type: 'saved', bundle });
    await source.check(state, acked, times);
    await source.close();
    rmSync(folder, { recursive: true });
  }

  /** Puts the finding's files where the controller can read them. */
  private handOver(finding: NewFinding): NewFinding {
    const folder = path.join(this.folder, `finding-${++this.findings}`);
    mkdirSync(folder);
    const logs = { ...finding.logs };
    let afterCrash: string | null = null;
    if (finding.afterCrash !== null) {
      afterCrash = path.join(folder, 'after-crash');
      const trouble = copyReadable(finding.afterCrash, afterCrash);
      if (!existsSync(afterCrash)) afterCrash = null;
      logs.copy = [logs.copy ?? '', ...trouble].filter((line) => line !== '').join('\n');
    }
    const handed: NewFinding = { ...finding, afterCrash, logs };
    if (finding.bundle !== undefined && existsSync(finding.bundle)) {
      handed.bundle = path.join(folder, path.basename(finding.bundle));
      cpSync(finding.bundle, handed.bundle);
    }
    return handed;
  }

  private say(answer: Answer): void {
    const bytes = Buffer.from(`${JSON.stringify(answer)}\n`);
    for (let done = 0; done < bytes.length;) done += writeSync(this.answers, bytes, done);
  }
}

function failure(error: unknown): Answer {
  if (!(error instanceof PlugpullError)) {
    return {
      type: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      exitCode: exitCodes.ownFailure,
    };
  }
  const { message, exitCode, remedy } = error;
  return { type: 'failed', message, exitCode, ...(remedy === undefined ? {} : { remedy }) };
}

const folder = process.argv[2];
if (folder === undefined) throw new Error('no folder was named');
const boot = JSON.parse(readFileSync(path.join(folder, bootFile), 'utf8')) as Boot;
Object.assign(process.env, boot.env);
process.chdir(boot.cwd);
await new Guest(folder, boot).serve();
