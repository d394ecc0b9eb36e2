/** What became of the trials, in the order they ended, in a bounded number of equal intervals. */

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
  /** Trials in the last interval. */
  private filled = 0;

  /** Adds trials that ended together; where they fill several intervals, each gets the same mixture. */
  add(counts: Partial<ShownCounts>): void {
    const left = { ...noneShown(), ...counts };
    let total = shownAs.reduce((sum, shown) => sum + left[shown], 0);
    while (total > 0) {
      if (this.intervals.length === 0 || this.filled >= this.width) this.open();
      // Few but large portions: the loop stays short for a million trials in one event.
      while (total > this.width * mostIntervals) this.halve();
      const portion = Math.min(total, this.width - this.filled);
      const share = portion / total;
      const interval = this.intervals.at(-1) ?? noneShown();
      for (const shown of shownAs) {
        const part = left[shown] * share;
        interval[shown] += part;
        left[shown] -= part;
      }
      this.filled += portion;
      total -= portion;
    }
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
