/**
 * What became of the trials, in the order they ended, in a bounded number of equal intervals. Crash states are explored in
 * bulk and in no order that means anything: they are left out.
 */

/** How a trial is shown: a violation in a control is what was wanted. */
export const shownAs = ['held', 'caught', 'violation', 'not-measured', 'harness-broken'] as const;
export type Shown = (typeof shownAs)[number];
export type ShownCounts = Record<Shown, number>;

export function noneShown(): ShownCounts {
  return { held: 0, caught: 0, violation: 0, 'not-measured': 0, 'harness-broken': 0 };
}

const mostIntervals = 96;

export class OverTrials {
  /** Trials in each interval but the last. Doubles whenever there would be too many intervals. */
  width = 1;
  intervals: ShownCounts[] = [];
  trials = 0;
  /** Trials in the last interval. */
  private filled = 0;

  add(shown: Shown): void {
    if (this.intervals.length === 0 || this.filled >= this.width) this.open();
    const interval = this.intervals.at(-1);
    if (interval !== undefined) interval[shown]++;
    this.filled++;
    this.trials++;
  }

  private open(): void {
    while (this.intervals.length >= mostIntervals) this.halve();
    if (this.intervals.length === 0 || this.filled >= this.width) {
      this.intervals.push(noneShown());
      this.filled = 0;
    }
  }

  /** Joins neighbours. */
  private halve(): void {
    const joined: ShownCounts[] = [];
    for (let i = 0; i < this.intervals.length; i += 2) {
      const [a, b] = [this.intervals[i] ?? noneShown(), this.intervals[i + 1] ?? noneShown()];
      for (const shown of shownAs) a[shown] += b[shown];
      joined.push(a);
    }
    if (this.intervals.length % 2 === 0 && this.intervals.length > 0) this.filled += this.width;
    this.intervals = joined;
    this.width *= 2;
  }
}
