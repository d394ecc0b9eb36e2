/** Numbers of trials by verdict. */
import { isViolation, verdicts, type Verdict } from './verdict.js';

export type Counts = Record<Verdict, number>;

export function noCounts(): Counts {
  return Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as Counts;
}

export function addCounts(into: Counts, from: Partial<Counts>): void {
  for (const verdict of verdicts) into[verdict] += from[verdict] ?? 0;
}

export function violationsIn(counts: Counts): number {
  return verdicts.filter(isViolation).reduce((sum, verdict) => sum + counts[verdict], 0);
}

/** One-sided 95 % bound on the probability of a violation after n independent trials without one (the rule of three). */
export function upperBound95(heldTrials: number): number {
  return heldTrials === 0 ? 1 : Math.min(1, 3 / heldTrials);
}
