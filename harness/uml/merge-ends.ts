/** The ends of a target's shares as one. */
import { addCounts, noCounts } from '../core/counts.js';
import type { TargetEnded } from '../core/events.js';

/** Sums counts and joins coverage; null where no share has begun the target. */
export function mergeEnds(ends: readonly TargetEnded[]): TargetEnded | null {
  const [first] = ends;
  if (first === undefined) return null;
  const counts = noCounts();
  for (const end of ends) addCounts(counts, end.counts);
  const covered = ends.map(({ coverage }) => coverage).filter((one) => one !== undefined);
  const merged: TargetEnded = { ...first, counts };
  delete merged.coverage;
  if (covered.length === 0) return merged;
  const hit = new Set(covered.flatMap((one) => one.hit));
  const missed = new Set(covered.flatMap((one) => one.missed).filter((step) => !hit.has(step)));
  return { ...merged, coverage: { hit: [...hit], missed: [...missed] } };
}
