/** Shows a crash state again, as often as its verdict needs, and with the repair that a user would give it. */
import type { DurabilityPromise } from '../core/target.js';
import { isViolation } from '../core/verdict.js';
import type { Judgement } from '../oracle/judge.js';
import type { SubjectCheck } from '../subjects/subject.js';
import type { Violation } from './explored.js';
import { choicesText, type Choices } from './enumerate.js';
import { unmountable, type StateName, type StateSource } from './state-source.js';
import type { Epoch } from './trace-index.js';
import { ackedRange, judgeState, type AckedRange } from './verdict.js';

/** How often a state must be recovered for its verdict, and whether bytes are compared. */
export interface Recoveries {
  times: number;
  sameBytes: boolean;
}

export interface ShownAgain {
  checks: readonly SubjectCheck[];
  judgement: Judgement;
  /** What repair of a file system that could not be mounted said; empty where none was tried. */
  repair: string;
}

/** A violation is looked for so often before it is doubted. */
const maxTries = 3;

/** The least that shows it: a violation of the first recovery needs no second one. */
export function recoveriesFor(
  acked: AckedRange,
  checks: readonly SubjectCheck[],
  promise: DurabilityPromise,
): Recoveries {
  const [first, second] = checks;
  if (first === undefined || second === undefined) return { times: 1, sameBytes: false };
  if (isViolation(judgeState(acked, [first], promise).verdict)) return { times: 1, sameBytes: false };
  return { times: 2, sameBytes: typeof second.difference === 'string' };
}

/** Checks a state; where its file system cannot be mounted, once more after repair. */
export async function showAgain(
  source: StateSource,
  epoch: Epoch,
  choices: Choices,
  { times, sameBytes }: Recoveries,
  promise: DurabilityPromise,
): Promise<ShownAgain> {
  const acked = ackedRange(epoch, choices);
  const state: StateName = { epoch: epoch.number, choices: choicesText(choices) };
  const checks = await source.check(state, acked.last, times, sameBytes ? { sameBytes } : {});
  const judgement = judgeState(acked, checks, promise);
  if (judgement.reason?.startsWith(unmountable) !== true) return { checks, judgement, repair: '' };
  const repaired = (await source.repair?.(state, acked.last, judgement.reason)) ?? null;
  if (repaired === null) return { checks, judgement, repair: '' };
  const after = repaired.check === null ? checks : [repaired.check];
  return { checks: after, judgement: judgeState(acked, after, promise), repair: repaired.log };
}

/**
 * Shows a violation to a fresh checker: the same one if it comes back, else another if there is one, else null. A file
 * system that can be repaired, with data that are right, is an answer too.
 */
export async function confirm(
  found: Violation,
  source: StateSource,
  promise: DurabilityPromise,
  stopping: () => boolean,
): Promise<ShownAgain | null> {
  const recoveries = recoveriesFor(found.acked, found.checks, promise);
  let other: ShownAgain | null = null;
  for (let tries = 0; tries < maxTries && (tries === 0 || !stopping()); tries++) {
    // What was checked before must have nothing to do with it.
    await source.refresh();
    const again = await showAgain(source, found.epoch, found.choices, recoveries, promise);
    const { verdict } = again.judgement;
    if (verdict === found.judgement.verdict || again.checks[0]?.repaired !== undefined) return again;
    if (isViolation(verdict)) other = again;
  }
  return other;
}
