/**
 * One trial: set up, work, crash, recover (perhaps crash again), check, recover once more, compare, judge.
 * The same for every subject and rig.
 */
import type { CrashPlan } from '../core/events.js';
import type { DurabilityPromise } from '../core/target.js';
import { judge, type Judgement, type Observation } from '../oracle/judge.js';
import type { Place } from '../rigs/rig.js';
import type { Subject, SubjectCheck, SubjectRun } from '../subjects/subject.js';
import { forWantOfSpace, spaceNamed } from './room.js';

export interface TrialOptions {
  seed: number;
  plan: CrashPlan;
  /** Must recovering twice leave the same bytes, or only the same verdict? */
  recoverTwice: 'bytes' | 'state';
  /** Files that may differ between two recoveries. */
  ignore: ((file: string) => boolean) | null;
  promise: DurabilityPromise;
}

export interface TrialOutcome {
  judgement: Judgement;
  observation: Observation;
  /** Folder of the files as they were right after the (first) crash; valid until the place is cleared. */
  afterCrash: string | null;
  /** Named step after which the crash fell. */
  step?: string;
  steps: string[];
  recoverySteps: string[];
  logs: { run: string; checks: string[] };
  millis: { run: number; recover: number; total: number };
}

/** Copies of the files, by the moment they were taken. */
const afterCrashCopy = 'after-crash';
const recoveredOnceCopy = 'recovered-once';

export async function runTrial(subject: Subject, place: Place, options: TrialOptions): Promise<TrialOutcome> {
  const started = performance.now();
  const checks: SubjectCheck[] = [];
  const { ran, observation } = await crash(subject, place.dir, options);
  observation.promise = options.promise;
  let afterCrash: string | null = null;
  if (observation.trouble === undefined && observation.crash !== 'missed') {
    afterCrash = place.keep(afterCrashCopy);
    await recover(subject, place, options, observation, checks);
  }
  const step = ran.stepsPassed?.at(-1);
  return {
    judgement: judge(observation),
    observation,
    afterCrash,
    ...(step === undefined ? {} : { step }),
    steps: ran.stepsPassed ?? [],
    recoverySteps: checks[0]?.stepsPassed ?? [],
    logs: { run: ran.log, checks: checks.map((check) => check.log) },
    millis: {
      run: ran.millis,
      recover: checks.at(-1)?.millis ?? 0,
      total: performance.now() - started,
    },
  };
}

/** Checks files that a crash left, without running the workload again. */
export async function recheck(
  subject: Subject,
  place: Place,
  acked: number,
  options: TrialOptions,
): Promise<Judgement> {
  const observation: Observation = { acked, promise: options.promise, crash: 'in-flight' };
  await recover(subject, place, options, observation, []);
  return judge(observation);
}

async function crash(
  subject: Subject,
  dir: string,
  { seed, plan }: TrialOptions,
): Promise<{ ran: SubjectRun; observation: Observation }> {
  if (plan.phase === 'create') {
    const ran = await subject.setup(dir, seed, plan);
    return { ran, observation: observe(ran, dir) };
  }
  const made = await subject.setup(dir, seed);
  if (made.end !== 'exited' || (made.exit ?? 0) !== 0) {
    const detail = spaceNamed(dir, `the set-up failed: ${failure(made)}`);
    return { ran: made, observation: { acked: -1, crash: 'missed', trouble: { kind: 'target', detail } } };
  }
  const ran = await subject.run(dir, seed, plan);
  return { ran, observation: observe(ran, dir) };
}

function observe(ran: SubjectRun, dir: string): Observation {
  const { acked } = ran;
  switch (ran.end) {
    case 'killed-by-us':
      return { acked, crash: ran.begun ? 'in-flight' : 'idle' };
    case 'exited':
      return ran.exit === 0
        ? { acked, crash: 'missed' }
        : {
            acked,
            crash: 'missed',
            trouble: {
              kind: 'target',
              detail: spaceNamed(dir, `the program ended early: ${failure(ran)}`),
            },
          };
    case 'crashed':
    case 'timeout':
    case 'protocol-error':
      return { acked, crash: 'missed', trouble: { kind: 'target', detail: spaceNamed(dir, failure(ran)) } };
  }
}

function failure(ran: SubjectRun): string {
  return ran.detail ?? `exit status ${ran.exit ?? '?'}`;
}

async function recover(
  subject: Subject,
  place: Place,
  { seed, plan, recoverTwice, ignore }: TrialOptions,
  observation: Observation,
  checks: SubjectCheck[],
): Promise<void> {
  const { acked } = observation;
  for (let next = plan.then; next !== undefined; next = next.then) {
    const cut = await subject.check(place.dir, seed, acked, next);
    checks.push(cut);
    // It ended before its crash: then it was a recovery like any other.
    if (cut.killedByUs !== true) break;
  }
  const first = await subject.check(place.dir, seed, acked);
  checks.push(first);
  observation.first = first;
  if (first.outcome === 'failed' && forWantOfSpace(place.dir, first.reason)) {
    observation.trouble = { kind: 'target', detail: spaceNamed(place.dir, first.reason) };
  }
  if (first.misuse === true) observation.trouble = { kind: 'target', detail: first.reason };
  if (first.outcome === 'failed') return;
  place.keep(recoveredOnceCopy);
  const second = await subject.check(place.dir, seed, acked);
  checks.push(second);
  observation.second = second;
  if (second.outcome === 'failed' && forWantOfSpace(place.dir, second.reason)) {
    observation.trouble = { kind: 'target', detail: spaceNamed(place.dir, second.reason) };
  }
  observation.difference = recoverTwice === 'bytes' ? place.compare(recoveredOnceCopy, ignore) : null;
}
