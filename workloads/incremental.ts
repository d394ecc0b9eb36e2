/** A model that goes from state to state, with checkpoints for whoever asks for an earlier one. */
import type { WorkloadModel } from './workload.js';

/** The logical state of a workload, without any heap. Made at state 0. */
export interface Simulation<Saved> {
  /** Goes from state k - 1 to state k. */
  step(k: number): void;
  /** The canonical bytes of the state reached, in memory of their own. */
  encode(): Uint8Array;
  save(): Saved;
  restore(saved: Saved): void;
}

const step = 16;
const maxSparse = 32;
const maxDense = 8;
const maxRecentBytes = 2 << 20;
const maxRecent = 16;

export class IncrementalModel<Saved> implements WorkloadModel {
  readonly #simulation: Simulation<Saved>;
  /** Over all commits, ever further apart. */
  readonly #sparse = new Map<number, Saved>();
  /** The last ones passed: most who go back go back a little. */
  readonly #dense = new Map<number, Saved>();
  /** The states asked for last, oldest first. */
  readonly #recent = new Map<number, Uint8Array>();
  #recentBytes = 0;
  #interval = step;
  #at = 0;

  constructor(simulation: Simulation<Saved>) {
    this.#simulation = simulation;
    this.#sparse.set(0, simulation.save());
  }

  /** Shared with later calls: not to be changed by the caller. */
  stateAt(k: number): Uint8Array {
    if (!Number.isInteger(k) || k < 0) throw new Error(`there is no commit ${k}`);
    const known = this.#recent.get(k);
    if (known !== undefined) return known;
    if (k < this.#at) this.#goBack(k);
    while (this.#at < k) {
      this.#simulation.step(++this.#at);
      if (this.#at % step === 0) this.#checkpoint();
    }
    const bytes = this.#simulation.encode();
    this.#remember(k, bytes);
    return bytes;
  }

  #goBack(k: number): void {
    let best = -1;
    let saved: Saved | undefined;
    for (const checkpoints of [this.#sparse, this.#dense]) {
      for (const [at, state] of checkpoints) if (at <= k && at > best) [best, saved] = [at, state];
    }
    if (saved === undefined) throw new Error('the checkpoint of state 0 is gone');
    this.#simulation.restore(saved);
    this.#at = best;
  }

  #checkpoint(): void {
    const at = this.#at;
    if (this.#dense.has(at) || this.#sparse.has(at)) return;
    const saved = this.#simulation.save();
    this.#dense.set(at, saved);
    for (const oldest of this.#dense.keys()) {
      if (this.#dense.size <= maxDense) break;
      this.#dense.delete(oldest);
    }
    if (this.#sparse.size === maxSparse) {
      this.#interval *= 2;
      for (const k of this.#sparse.keys()) if (k % this.#interval !== 0) this.#sparse.delete(k);
    }
    if (at % this.#interval === 0) this.#sparse.set(at, saved);
  }

  #remember(k: number, bytes: Uint8Array): void {
    this.#recent.set(k, bytes);
    this.#recentBytes += bytes.byteLength;
    for (const [oldest, old] of this.#recent) {
      if (oldest === k || (this.#recent.size <= maxRecent && this.#recentBytes <= maxRecentBytes)) break;
      this.#recent.delete(oldest);
      this.#recentBytes -= old.byteLength;
    }
  }
}
