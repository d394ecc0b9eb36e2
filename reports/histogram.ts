/**
 * A histogram of durations with logarithmic buckets: eight to each doubling, so a quantile is
 * exact to 9 %, in a fixed amount of memory however many values it has seen.
 */
const perDoubling = 8;
/** Milliseconds: one microsecond, and about three hours. */
const lowest = 0.001;
const doublings = 34;
const size = perDoubling * doublings;

export interface Bucket {
  /** Milliseconds, [from, to). */
  from: number;
  to: number;
  count: number;
}

export class Histogram {
  private readonly counts = new Array<number>(size).fill(0);
  total = 0;
  max = 0;

  add(millis: number): void {
    if (!Number.isFinite(millis) || millis < 0) return;
    const index = Math.floor(Math.log2(Math.max(millis, lowest) / lowest) * perDoubling);
    const bucket = Math.min(size - 1, index);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.total++;
    this.max = Math.max(this.max, millis);
  }

  merge(other: Histogram): void {
    for (const [i, count] of other.counts.entries()) this.counts[i] = (this.counts[i] ?? 0) + count;
    this.total += other.total;
    this.max = Math.max(this.max, other.max);
  }

  /** Upper edge in milliseconds of the bucket that holds the quantile, never above the largest value; null if empty. */
  quantile(share: number): number | null {
    if (this.total === 0) return null;
    const rank = Math.max(1, Math.ceil(share * this.total));
    let seen = 0;
    for (const [i, count] of this.counts.entries()) {
      seen += count;
      if (seen >= rank) return Math.min(this.max, edge(i + 1));
    }
    return this.max;
  }

  /** Buckets from the first to the last that are not empty. */
  buckets(): Bucket[] {
    const all = this.counts.map((count, i) => ({ from: edge(i), to: edge(i + 1), count }));
    const first = all.findIndex(({ count }) => count > 0);
    const last = all.findLastIndex(({ count }) => count > 0);
    return first < 0 ? [] : all.slice(first, last + 1);
  }
}

function edge(index: number): number {
  return lowest * 2 ** (index / perDoubling);
}
