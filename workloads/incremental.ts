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

const maxCheckpoints = 32;
const maxRecentBytes = 2 << 20;
const maxRecent = 16;

export class IncrementalModel<Saved> implements WorkloadModel {
  readonly #simulation: Simulation<Saved>;
  readonly #checkpoints = new Map<number, Saved>();
  /** The states asked for last, oldest first. */
  readonly #recent = new Map<number, Uint8Array>();
  #recentBytes = 0;
  #interval = 16;
  #at = 0;

  constructor(simulation: Simulation<Saved>) {
    this.#simulation = simulation;
    this.#checkpoints.set(0, simulation.save());
  }

  /** Shared with later calls: not to be changed by the caller. */
  stateAt(k: number): Uint8Array {
    if (!Number.isInteger(k) || k < 0) throw new Error(`there is no commit ${k}`);
    const known = this.#recent.get(k);
    if (known !== undefined) return known;
    if (k < this.#at) this.#goBack(k);
    while (this.#at < k) {
      this.#simulation.step(++this.#at);
      if (this.#at % this.#interval === 0) this.#checkpoint();
    }
    const bytes = this.#simulation.encode();
    this.#remember(k, bytes);
    return bytes;
  }

  #goBack(k: number): void {
    let best = k - (k % this.#interval);
    while (best > 0 && !this.#checkpoints.has(best)) best -= this.#interval;
    const saved = this.#checkpoints.get(best);
    if (saved === undefined) throw new Error('the checkpoint of state 0 is gone');
    this.#simulation.restore(saved);
    this.#at = best;
  }

  #checkpoint(): void {
    if (this.#checkpoints.has(this.#at)) return;
    if (this.#checkpoints.size === maxCheckpoints) {
      this.#interval *= 2;
      for (const k of this.#checkpoints.keys()) if (k % this.#interval !== 0) this.#checkpoints.delete(k);
      if (this.#at % this.#interval !== 0) return;
    }
    this.#checkpoints.set(this.#at, this.#simulation.save());
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
