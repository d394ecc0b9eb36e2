/** A workload over a heap on a FAMS backend, driven through a zygote. */
import type { CrashPlan } from '../core/events.js';
import type { BackendTarget } from '../core/target.js';
import type { MarkPlaces, WorkerAnswer, WorkerLimits, WorkerTarget } from '../worker/job.js';
import type { RunLimits, Subject, SubjectCheck, SubjectRun } from './subject.js';
import { Zygote } from './zygote.js';

const defaults: WorkerLimits = { timeMs: 20_000, rssBytes: 1024 ** 3, outputBytes: 8 * 1024 ** 2 };
const sigkill = 9;

/** How many commits a run makes that is not stopped before: the bound of a trial. */
export const commitsInTrial = 400;

/** Commits of a run that is swept step by step: enough for several laps of the redo log. */
export const commitsInSweep = 8;

/** The target as a worker needs it. */
export function workerTarget(target: BackendTarget): WorkerTarget {
  return {
    backend: target.backend,
    workload: target.workload,
    ...(target.workloadModule === undefined ? {} : { workloadModule: target.workloadModule }),
    ...(target.planted === undefined ? {} : { planted: target.planted }),
    ...(target.tracker === undefined ? {} : { tracker: target.tracker }),
    ...(target.input === undefined ? {} : { input: target.input }),
    ...(target.background === undefined ? {} : { background: target.background }),
  };
}

/** What a run in another machine needs beside the target. */
export interface BuiltinOptions {
  /** Marks of runs: a plan of mode `step` then stands still instead of killing. */
  places?: MarkPlaces;
  /** Longest run, milliseconds. */
  timeMs?: number;
}

export class BuiltinSubject implements Subject {
  /** Folders whose heap is made by the run itself, which saves a fork. */
  private readonly unmade = new Set<string>();
  private readonly target: WorkerTarget;

  constructor(
    target: BackendTarget,
    private readonly zygote: Zygote,
    private readonly options: BuiltinOptions = {},
  ) {
    this.target = workerTarget(target);
  }

  async setup(dir: string, seed: number, plan?: CrashPlan): Promise<SubjectRun> {
    if (plan === undefined) {
      this.unmade.add(dir);
      return { acked: 0, begun: false, end: 'exited', exit: 0, log: '', millis: 0 };
    }
    return this.work(dir, seed, plan, 0, true);
  }

  async run(
    dir: string,
    seed: number,
    plan?: CrashPlan,
    limits: Partial<RunLimits> = {},
  ): Promise<SubjectRun> {
    const create = this.unmade.delete(dir);
    const usual = plan?.mode === 'time' ? commitsInTrial : commitsInSweep;
    return this.work(dir, seed, plan ?? null, limits.commits ?? usual, create);
  }

  private async work(
    dir: string,
    seed: number,
    plan: CrashPlan | null,
    commits: number,
    create: boolean,
  ): Promise<SubjectRun> {
    const answer = await this.zygote.run({
      op: 'run',
      target: this.target,
      dir,
      seed,
      create,
      plan,
      commits,
      ...(this.options.places === undefined ? {} : { places: this.options.places }),
      limits: { ...defaults, timeMs: this.options.timeMs ?? defaults.timeMs },
    });
    return {
      acked: answer.acked,
      begun: answer.begun,
      ...endOf(answer),
      exit: answer.end.exit,
      signal: answer.end.signal,
      log: answer.log,
      stepsPassed: answer.steps,
      millis: answer.millis,
    };
  }

  async check(dir: string, seed: number, acked: number, plan?: CrashPlan): Promise<SubjectCheck> {
    const answer = await this.zygote.run({
      op: 'check',
      target: this.target,
      dir,
      seed,
      acked,
      plan: plan ?? null,
      limits: defaults,
    });
    const common = { log: answer.log, end: answer.end, millis: answer.millis, stepsPassed: answer.steps };
    const { result } = answer;
    if (result !== null && result.outcome !== 'done') {
      return {
        ...common,
        outcome: result.outcome,
        ...(result.violation === undefined ? {} : { violation: result.violation }),
        state: result.state,
        reason: result.reason,
      };
    }
    const killedByUs = plan !== undefined && answer.end.signal === sigkill && answer.end.stopped === null;
    return { ...common, outcome: 'failed', state: null, reason: describeEnd(answer, 'recovery'), killedByUs };
  }

  async close(): Promise<void> {
    return Promise.resolve();
  }
}

function endOf(answer: WorkerAnswer): { end: SubjectRun['end']; detail?: string } {
  const { end, result } = answer;
  if (end.stopped !== null) return { end: 'timeout', detail: describeEnd(answer, 'the workload') };
  if (end.signal === sigkill) return { end: 'killed-by-us' };
  if (end.exit === 0 && result?.outcome === 'done') return { end: 'exited', detail: result.reason };
  return { end: 'crashed', detail: result?.reason ?? describeEnd(answer, 'the workload') };
}

function describeEnd(answer: WorkerAnswer, what: string): string {
  const { exit, signal, stopped } = answer.end;
  if (stopped === 'time') return `${what} did not end in time`;
  if (stopped === 'memory') return `${what} used more than ${defaults.rssBytes} bytes of memory`;
  if (stopped === 'output') return `${what} printed more than ${defaults.outputBytes} bytes`;
  if (signal !== null) return `${what} died by signal ${signal}`;
  return `${what} ended with exit status ${exit ?? '?'} and no result`;
}
