/** Crash states that an earlier part of a resumed run has told of: they come again, and count once. */
import { noCounts, type Counts } from '../core/counts.js';
import type { StatesExplored } from '../core/events.js';
import { verdicts } from '../core/verdict.js';
import type { Tally } from './tally.js';

export class ToldBefore {
  private readonly counts: Counts;
  private readonly steps: ReadonlySet<string>;

  /** @param who the target, as it stands in the log so far */
  constructor(
    tally: Tally,
    { target, fault, rig, fs }: Pick<StatesExplored, 'target' | 'fault' | 'rig' | 'fs'>,
  ) {
    const earlier = tally.find(target, fault, rig, fs);
    this.counts = { ...(earlier?.counts ?? noCounts()) };
    this.steps = new Set(earlier?.hit);
  }

  /** The event without what was told before. Several events of one target share that among them. */
  beyond(event: StatesExplored): StatesExplored {
    const counts = noCounts();
    let again = 0;
    for (const verdict of verdicts) {
      const known = Math.min(this.counts[verdict], event.counts[verdict] ?? 0);
      counts[verdict] = (event.counts[verdict] ?? 0) - known;
      this.counts[verdict] -= known;
      again += known;
    }
    if (again === 0) return event;
    const fresh = Object.entries(event.bySteps ?? {}).filter(([step]) => !this.steps.has(step));
    const states = Math.max(0, event.states - again);
    return { ...event, counts, states, ...(event.bySteps && { bySteps: Object.fromEntries(fresh) }) };
  }
}
