/** Holds the lazy exploration of a recording against brute force: every subset of whole writes is mounted and checked. */
import { choicesText, whole } from './enumerate.js';
import { explore } from './exploration.js';
import { sameOutcome, type Outcome } from './known-states.js';
import type { Leaf } from './lazy-tree.js';
import type { StateSource } from './state-source.js';
import type { Epoch } from './trace-index.js';

export interface Audit {
  /** Subsets that were compared, and distinct contents among them, all of which brute force mounted. */
  subsets: number;
  contents: number;
  /** States that the lazy exploration mounted for them, and those that it could tell apart. */
  mounted: number;
  leaves: number;
  /** Distinct outcomes that brute force found. */
  outcomes: string[];
  /** Subsets that no leaf, or more than one, stands for. */
  uncovered: number;
  /** Subsets with another outcome than the leaf that stands for them: lost or invented. */
  wrong: number;
  /** The first of them. */
  example: string | null;
  /** Epochs with more pending writes than were wanted. */
  left: number;
}

/** @param most pending writes of an epoch at most: brute force takes 2 to the power of that */
export async function auditLaziness(
  epochs: readonly Epoch[],
  sources: readonly StateSource[],
  seed: number,
  most: number,
): Promise<Audit> {
  const small = epochs.filter(({ pending }) => pending.length <= most);
  const [source] = sources;
  if (source === undefined) throw new Error('an audit needs a source of states');
  const leaves = new Map<number, { leaf: Leaf; outcome: Outcome }[]>();
  const explored = await explore({
    epochs: small,
    sources,
    seed,
    unit: 4096,
    checkKnowsAcked: false,
    states: null,
    deadline: Infinity,
    exhaustive: true,
    onlySubsets: true,
    stopping: () => false,
    onViolation: () => Promise.resolve(),
    onLeaf: ({ number }, leaf, outcome) => {
      const list = leaves.get(number) ?? [];
      leaves.set(number, [...list, { leaf, outcome }]);
    },
  });
  const audit: Audit = {
    subsets: 0,
    contents: 0,
    mounted: explored.checked,
    leaves: [...leaves.values()].reduce((sum, list) => sum + list.length, 0),
    outcomes: [],
    uncovered: 0,
    wrong: 0,
    example: null,
    left: epochs.length - small.length,
  };
  const known = new Map<string, Outcome>();
  for (const epoch of small) {
    const own = leaves.get(epoch.number) ?? [];
    for (let set = 0; set < 2 ** epoch.pending.length; set++) {
      audit.subsets++;
      const kept = (index: number): boolean => ((set >> index) & 1) === 1;
      const choices = choicesText(whole([...epoch.pending.keys()].filter(kept)));
      const [digest = ''] = await source.digests(epoch.number, [choices]);
      let outcome = known.get(digest);
      if (outcome === undefined) {
        const checks = await source.check({ epoch: epoch.number, choices }, 0);
        known.set(digest, (outcome = { checks, reads: null }));
      }
      const standing = own.filter(
        ({ leaf }) => leaf.present.every(kept) && ![...leaf.absent].some((index) => kept(index)),
      );
      const [first] = standing;
      if (standing.length !== 1 || first === undefined) {
        audit.uncovered++;
      } else if (!sameOutcome(first.outcome, outcome)) {
        audit.wrong++;
        audit.example ??= `epoch ${epoch.number}, on disk ${choices}: ${told(outcome)}, but lazily ${told(first.outcome)}`;
      }
    }
  }
  audit.contents = known.size;
  audit.outcomes = [...new Set([...known.values()].map(told))].sort();
  return audit;
}

function told({ checks: [check] }: Outcome): string {
  return [check?.violation ?? check?.outcome, check?.state ?? 'no state'].join(' ');
}
