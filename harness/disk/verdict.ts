/** The verdict of a crash state, whose cut may lie anywhere between two acks. */
import type { DurabilityPromise } from '../core/target.js';
import { isViolation } from '../core/verdict.js';
import { judge, type Judgement } from '../oracle/judge.js';
import type { SubjectCheck } from '../subjects/subject.js';
import type { Choices } from './enumerate.js';
import type { Epoch } from './trace-index.js';

/** Acked commits at the first and the last moment at which a cut can leave this state. */
export interface AckedRange {
  first: number;
  last: number;
}

/** The cut comes after the submission of every write that was kept, and before the epoch ends. */
export function ackedRange(epoch: Epoch, choices: Choices): AckedRange {
  let first = epoch.ackedFirst;
  for (const index of choices.keys()) first = Math.max(first, epoch.pending[index]?.acked ?? first);
  return { first, last: epoch.ackedLast };
}

/** Lost is judged by the last moment, phantom by the first. */
export function judgeState(
  { first, last }: AckedRange,
  checks: readonly SubjectCheck[],
  promise: DurabilityPromise = 'durable',
): Judgement {
  const [one, two] = checks;
  const seen = {
    promise,
    crash: 'in-flight',
    ...(one && { first: one }),
    ...(two && { second: two }),
    ...(two?.difference === undefined ? {} : { difference: two.difference }),
  } as const;
  if (one?.repaired !== undefined) {
    const { repaired, ...rest } = one;
    return afterRepair(repaired, judgeState({ first, last }, [rest], promise));
  }
  const latest = judge({ acked: last, ...seen });
  if (latest.verdict !== 'held' || first === last) return latest;
  const earliest = judge({ acked: first, ...seen });
  return earliest.verdict === 'phantom' ? earliest : latest;
}

/** Data that are right once the file system was repaired are what a user is content with; any others were lost with it. */
function afterRepair(repaired: NonNullable<SubjectCheck['repaired']>, judged: Judgement): Judgement {
  if (!isViolation(judged.verdict)) return judged;
  const { refusal, by } = repaired;
  const reason = `${refusal}; after ${by} it could be, but ${judged.verdict}: ${judged.reason ?? ''}`;
  return { ...judged, verdict: 'unrecoverable', reason };
}
