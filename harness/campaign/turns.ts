/** Which of a campaign's trials fall to this shard, and when there are none left that anybody wants. */
import type { Shard } from './context.js';

export interface TurnOptions<T> {
  /** Trial index of the first turn. */
  firstIndex: number;
  /** Turns in all. */
  trials: number | null;
  shard: Shard;
  /** Indices that an earlier part of the run has done. */
  done: ReadonlySet<number>;
  /** Nothing more is to be learnt from a trial like this. It stays so. */
  settled: (turn: T) => boolean;
  /** So many turns in a row hold every one that there ever will be. */
  period: number;
  stopping: () => boolean;
}

/**
 * Turns are counted, so that every shard sees the same indices; ours that are not settled are given. Ends, even if the
 * turns never do, once none is left that would be given: nobody else could stop it, since it yields to no one meanwhile.
 */
export function* ownTurns<T>(
  turns: Iterable<T>,
  { firstIndex, trials, shard, done, settled, period, stopping }: TurnOptions<T>,
): Generator<{ index: number; turn: T }, void> {
  const last = trials === null ? Infinity : firstIndex + trials;
  let lastDone = -1;
  for (const index of done) lastDone = Math.max(lastDone, index);
  let index = firstIndex;
  let passed = 0;
  for (const turn of turns) {
    if (index >= last || stopping()) return;
    const ours = index % shard.of === shard.index - 1 && !done.has(index);
    if (ours && !settled(turn)) {
      passed = 0;
      yield { index, turn };
    } else if (index > lastDone && ++passed >= period * shard.of) {
      return;
    }
    index++;
  }
}
