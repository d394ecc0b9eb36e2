/** Any program as a target: three commands that speak the line protocol, run by /bin/sh under the guard. */
import { statSync } from 'node:fs';
import { UsageError } from '../core/errors.js';
import type { CrashPlan } from '../core/events.js';
import { type Driven, describeEnd, drive } from './drive.js';
import { type Launched, type Launcher, launchLocally } from './guard.js';
import type { Phase } from './line-protocol.js';
import type { PhaseLimits, RunLimits, Subject, SubjectCheck, SubjectRun } from './subject.js';
import { lastLines } from './tail.js';
import { type ToolFolder, makeToolFolder } from './tools.js';

export interface CommandOptions {
  setup: string;
  run: string;
  check: string;
  /** Programs that the commands need: copied to a folder that is first in PATH. */
  with?: readonly string[];
  /** Working folder of the commands; the default is ours. */
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  limits?: { setup?: Partial<PhaseLimits>; run?: Partial<RunLimits>; check?: Partial<PhaseLimits> };
  /** How programs are started; the default is on this machine. */
  launcher?: Launcher;
}

export const defaultPhaseLimits: PhaseLimits = {
  millis: 30_000,
  memoryBytes: 1024 ** 3,
  outputBytes: 16 * 1024 ** 2,
  processes: 512,
};

export const defaultRunLimits: RunLimits = { ...defaultPhaseLimits, millis: 120_000, answerMillis: 10_000 };

export class CommandSubject implements Subject {
  #tools: ToolFolder | null = null;
  readonly #live = new Set<Launched>();
  #closed = false;

  /** Throws a UsageError if a command is empty or a program of `with` cannot be read. */
  constructor(readonly options: CommandOptions) {
    for (const phase of ['setup', 'run', 'check'] as const) {
      if (options[phase].trim() === '') throw new UsageError(`the ${phase} command is empty`);
    }
    if (options.with !== undefined && options.with.length > 0) this.#tools = makeToolFolder(options.with);
  }

  async setup(dir: string, seed: number, plan?: CrashPlan): Promise<SubjectRun> {
    const limits = { ...defaultPhaseLimits, ...this.options.limits?.setup };
    const driven = await this.#drive('setup', { dir, seed, limits, kill: aim(plan, 'create') });
    const run = toRun(driven, plan);
    // Its exit tells that commit 0 is made; the line is optional.
    return run.end === 'exited' && run.exit === 0 ? { ...run, acked: 0 } : run;
  }

  async run(
    dir: string,
    seed: number,
    plan?: CrashPlan,
    limits: Partial<RunLimits> = {},
  ): Promise<SubjectRun> {
    const all = { ...defaultRunLimits, ...this.options.limits?.run, ...limits };
    return toRun(await this.#drive('run', { dir, seed, limits: all, kill: aim(plan, 'run') }), plan);
  }

  async check(dir: string, seed: number, acked: number, plan?: CrashPlan): Promise<SubjectCheck> {
    const limits = { ...defaultPhaseLimits, ...this.options.limits?.check };
    const driven = await this.#drive('check', { dir, seed, acked, limits, kill: aim(plan, 'recover') });
    const check = toCheck(driven);
    // The folder is another one in each trial: where it was is of no use to anybody.
    return { ...check, reason: check.reason.replaceAll(dir, '$PLUGPULL_DIR') };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const live = [...this.#live];
    for (const launched of live) launched.kill();
    await Promise.allSettled(live.map((launched) => launched.ended));
    this.#tools?.remove();
    this.#tools = null;
  }

  async #drive(phase: Phase, spec: DriveSpec): Promise<Driven> {
    if (!statSync(spec.dir, { throwIfNoEntry: false })?.isDirectory()) {
      throw new UsageError(`the target's folder ${spec.dir} is not a folder`);
    }
    const launcher: Launcher = async (options) => {
      const launched = await (this.options.launcher ?? launchLocally)(options);
      this.#live.add(launched);
      const forget = () => this.#live.delete(launched);
      launched.ended.then(forget, forget);
      if (this.#closed) launched.kill();
      return launched;
    };
    return await drive({
      phase,
      launcher,
      launch: {
        argv: ['/bin/sh', '-c', this.options[phase]],
        cwd: this.options.cwd ?? process.cwd(),
        env: this.#environment(spec),
      },
      limits: spec.limits,
      kill: spec.kill,
    });
  }

  #environment(spec: DriveSpec): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = { ...process.env, ...this.options.env };
    env.PLUGPULL_DIR = spec.dir;
    env.PLUGPULL_SEED = String(spec.seed);
    if (spec.acked === undefined) delete env.PLUGPULL_ACKED;
    else env.PLUGPULL_ACKED = String(spec.acked);
    if (this.#tools !== null) env.PATH = `${this.#tools.folder}:${env.PATH ?? '/usr/bin:/bin'}`;
    return env;
  }
}

interface DriveSpec {
  dir: string;
  seed: number;
  acked?: number;
  limits: PhaseLimits & Partial<RunLimits>;
  kill: { afterCommit: number; delayMicros: number } | undefined;
}

/** The moment that a plan asks for. A command's steps have no names, so only time can be aimed at. */
function aim(plan: CrashPlan | undefined, phase: CrashPlan['phase']): DriveSpec['kill'] {
  if (plan === undefined) return undefined;
  if (plan.mode !== 'time')
    throw new UsageError(`a command target cannot be stopped by ${plan.mode}, only by time`);
  if (plan.phase !== phase) throw new UsageError(`a plan for the phase ${plan.phase} was given to ${phase}`);
  return { afterCommit: plan.afterCommit ?? 0, delayMicros: plan.delayMicros ?? 0 };
}

function endOf(driven: Driven, planned: boolean): { end: SubjectRun['end']; detail?: string } {
  const { report, stopped, detail, stderr } = driven;
  switch (stopped) {
    case 'protocol':
    case 'output':
      return { end: 'protocol-error', detail };
    case 'time':
    case 'silence':
      return { end: 'timeout', detail };
    case 'memory':
    case 'processes':
      return { end: 'crashed', detail };
    case 'commits':
    case null:
  }
  if (report.killed && (planned || stopped === 'commits')) return { end: 'killed-by-us' };
  const how = describeEnd(report, stderr);
  if (report.signal !== null || (report.exit ?? 0) > 128) return { end: 'crashed', detail: how };
  return report.exit === 0 ? { end: 'exited' } : { end: 'exited', detail: how };
}

function toRun(driven: Driven, plan: CrashPlan | undefined): SubjectRun {
  const { report } = driven;
  const { end, detail } = endOf(driven, plan !== undefined);
  const left = leftBehind(driven);
  const sentences = [detail, end === 'exited' ? left : undefined].filter((text) => text !== undefined);
  return {
    acked: driven.acked,
    begun: end === 'killed-by-us' && !driven.idle && driven.stopped === null,
    end,
    ...(sentences.length > 0 ? { detail: sentences.join('; ') } : {}),
    exit: report.exit,
    signal: report.signal,
    log: driven.log,
    ...(report.leftovers.length > 0 ? { leftovers: report.leftovers } : {}),
    ...(driven.commitMicros === undefined ? {} : { commitMicros: driven.commitMicros }),
    millis: report.micros / 1000,
  };
}

function leftBehind({ report }: Driven): string | undefined {
  if (report.leftoverCount === 0) return undefined;
  const names = report.leftovers.slice(0, 5).map(({ pid, name }) => `${name} (${pid})`);
  const more = report.leftoverCount - names.length;
  return `it left processes behind: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function toCheck(driven: Driven): SubjectCheck {
  const { report, protocol, stopped, stderr } = driven;
  const base = {
    state: protocol.state,
    log: driven.log,
    end: { exit: report.exit, signal: report.signal, stopped: limitOf(stopped) },
    millis: report.micros / 1000,
  };
  const failed = { ...base, outcome: 'failed' as const, state: null };
  if (stopped !== null) {
    return {
      ...failed,
      reason: `check: ${driven.detail}`,
      ...(stopped === 'protocol' ? { misuse: true } : {}),
    };
  }
  if (report.killed) return { ...failed, reason: 'stopped by the plan', killedByUs: true };
  if (report.exit === 0) return { ...base, outcome: 'consistent', reason: '' };
  if (report.exit === 1) {
    const said = lastLines(stderr);
    return { ...base, outcome: 'inconsistent', reason: said === '' ? 'check gave no reason' : said };
  }
  const missing = report.exit === 126 || report.exit === 127;
  return { ...failed, reason: `check: ${describeEnd(report, stderr)}`, ...(missing ? { misuse: true } : {}) };
}

function limitOf(stopped: Driven['stopped']): SubjectCheck['end']['stopped'] {
  return stopped === 'time' || stopped === 'memory' || stopped === 'output' || stopped === 'processes'
    ? stopped
    : null;
}
