/** One power-off: a guest works, its power goes, a fresh guest recovers what its disk kept. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import type { CrashPlan } from '../core/events.js';
import { deriveSeed, random } from '../core/seed.js';
import { promiseOf, type Target } from '../core/target.js';
import { choicesText, randomRounds, type Choices } from '../disk/enumerate.js';
import type { FileSystem } from '../disk/file-systems.js';
import type { Recording } from '../disk/recording.js';
import { readTraceIndex, type Epoch, type TraceIndex } from '../disk/trace-index.js';
import { ackedRange, judgeState, type AckedRange } from '../disk/verdict.js';
import { judge, type Judgement } from '../oracle/judge.js';
import type { SubjectCheck } from '../subjects/subject.js';
import { copyDisk, makeStateImage, traceOfLog } from './block-log.js';
import { workUntilCut, type FirstGuest } from './first-guest.js';
import type { Guests } from './guests.js';
import { recoverInGuest, type Recovered } from './second-guest.js';

export interface TrialOrder {
  target: Target;
  seed: number;
  fs: FileSystem;
  mode: 'kept' | 'volatile';
  plan: CrashPlan;
  /** An empty folder on the scratch; whoever called removes it. */
  folder: string;
  /** Bytes that a write can be torn at. */
  unit: number;
}

/** Where in a log the power was cut, and what survived. */
export interface CutLog {
  recording: Recording;
  trace: TraceIndex;
  epoch: Epoch;
  choices: Choices;
  acked: AckedRange;
}

export interface PowerTrial {
  judgement: Judgement;
  checks: SubjectCheck[];
  acked: number;
  step: string | null;
  /** The workload stood still at that step when the power went. */
  halted: boolean;
  plan: CrashPlan;
  /** The disk as the cut left it; null where it never got that far. */
  disk: string | null;
  /** Of a volatile disk. */
  cut: CutLog | null;
  /** A guest that died while it recovered did not do so again. */
  note: string | null;
  logs: Record<string, string>;
  millis: { run: number; recover: number; total: number };
}

/** Rejects where guests cannot be had, or our own parts fail. */
export async function runPowerTrial(guests: Guests, order: TrialOrder): Promise<PowerTrial> {
  const started = performance.now();
  const { folder, fs, mode } = order;
  const base = await guests.baseDisk(fs.name);
  const disk = path.join(folder, 'disk');
  const log = mode === 'volatile' ? path.join(folder, 'log') : null;
  await copyDisk(base, disk);
  const first = await workUntilCut(guests, { ...order, disk, log });
  const run = performance.now() - started;
  const trial: PowerTrial = {
    judgement: { verdict: 'not-measured', recovered: null },
    checks: [],
    acked: first.marks.acked,
    step: first.marks.step,
    halted: first.marks.still,
    plan: order.plan,
    disk: null,
    cut: null,
    note: null,
    logs: { run: first.log, 'console-first': first.console },
    millis: { run, recover: 0, total: run },
  };
  if (first.trouble !== null) return unmeasured(trial, `${whose(first)}: ${first.trouble.detail}`);
  let idle = first.marks.done;
  let begun = first.marks.begun;
  if (log !== null) {
    const cut = await cutLog(guests, order, base, log, first);
    rmSync(disk);
    idle ||= cut.trace.done;
    begun = cut.trace.epochs.length > 0;
    if (begun) await survive(order, base, cut, disk, trial);
  }
  if (!begun) return unmeasured(trial, 'the power failed before the work had begun');
  trial.disk = disk;
  const second = await recoverTwice(guests, order, trial);
  trial.millis.total = performance.now() - started;
  trial.millis.recover = trial.millis.total - run;
  if (second.pid === first.pid || second.bootId === first.bootId) {
    return unmeasured(trial, 'it was not a fresh guest that recovered');
  }
  trial.judgement = judgeTrial(order, trial, second, idle);
  return trial;
}

function whose({ trouble }: FirstGuest): string {
  return trouble?.kind === 'guest' ? 'the guest died before its power was cut' : 'nothing was cut';
}

function unmeasured(trial: PowerTrial, reason: string): PowerTrial {
  trial.judgement = { verdict: 'not-measured', reason, recovered: null };
  return trial;
}

function judgeTrial({ target }: TrialOrder, trial: PowerTrial, second: Recovered, idle: boolean): Judgement {
  const { checks, acked, cut } = trial;
  const promise = promiseOf(target);
  const [one, two] = checks;
  const seen = judge({
    acked,
    promise,
    crash: idle ? 'idle' : 'in-flight',
    ...(one && { first: one }),
    ...(two && { second: two }),
    ...(second.difference === undefined ? {} : { difference: second.difference }),
  });
  if (cut === null || seen.verdict !== 'held') return seen;
  // A write that is not flushed can have survived from a moment before the last ack.
  return judgeState(cut.acked, checks, promise);
}

async function cutLog(
  guests: Guests,
  { fs, folder, unit, seed }: TrialOrder,
  base: string,
  log: string,
  first: FirstGuest,
): Promise<CutLog> {
  const file = path.join(folder, 'trace');
  await traceOfLog(log, file, guests.parts(fs));
  rmSync(log);
  const trace = await readTraceIndex(file);
  const epoch = trace.epochs.at(-1) ?? {
    number: 0,
    ackedFirst: -1,
    ackedLast: -1,
    pending: [],
    step: null,
    hasAck: false,
  };
  const choices = survivors(epoch, seed, unit);
  const { log: text, millis } = first;
  const recording = { fs, base, trace: file, maps: [], acked: trace.acked, log: text, trouble: null, millis };
  return { recording, trace, epoch, choices, acked: ackedRange(epoch, choices) };
}

/** What of the pending writes reached the medium: none of them, or a subset drawn from the seed, some torn. */
export function survivors(epoch: Epoch, seed: number, unit: number): Choices {
  const none: Choices = new Map();
  const draw = random(deriveSeed(seed, 'survivors'));
  const whole: Choices = new Map(draw.int(0, 1) === 0 ? [] : [...epoch.pending.keys()].map((i) => [i, null]));
  const chosen = randomRounds([epoch], seed, unit).next();
  if (draw.int(1, 4) === 1) return none;
  return chosen.done === true ? whole : (chosen.value.choices[0] ?? none);
}

/** The disk on which only what was flushed and what was chosen is. */
async function survive(
  { unit }: TrialOrder,
  base: string,
  cut: CutLog,
  disk: string,
  trial: PowerTrial,
): Promise<void> {
  const state = { epoch: cut.epoch.number, choices: choicesText(cut.choices) };
  await makeStateImage({ ...state, base, trace: cut.recording.trace, unit }, disk);
  trial.cut = cut;
  trial.acked = cut.acked.last;
  trial.step = cut.epoch.step;
  trial.plan = { ...trial.plan, choices: `${state.epoch}/${state.choices}` };
}

/** A guest that dies recovers once more, so that a fault of the emulator is not taken for one of the target. */
async function recoverTwice(guests: Guests, order: TrialOrder, trial: PowerTrial): Promise<Recovered> {
  const { target, seed, fs, folder } = order;
  const attempt = async (): Promise<Recovered> => {
    // The evidence stays as the cut left it.
    const disk = path.join(folder, 'recovering');
    await copyDisk(trial.disk ?? '', disk);
    const done = await recoverInGuest(guests, { target, seed, fs, disk, acked: trial.acked });
    rmSync(disk);
    return done;
  };
  let second = await attempt();
  if (second.died) {
    const why = second.checks.at(-1)?.reason ?? '';
    second = await attempt();
    if (!second.died) trial.note = `${why}; it did not do so again with the same disk`;
  }
  trial.checks = second.checks;
  trial.logs = {
    ...trial.logs,
    check: second.checks.map((check) => check.log).join('\n'),
    kernel: second.kernelLog,
    'repair-in-guest': second.repair,
    console: second.console,
  };
  return second;
}
