import type { NativeHeap } from '../native/index.js';

/** Thrown by `read` when a structure in the heap is not sound: the verdict is `broken`. */
export class BrokenStructure extends Error {
  override name = 'BrokenStructure';
}

/** What a workload found in a recovered heap. */
export interface ReadState {
  /** The commit that the data say they hold. */
  commit: number;
  /** The whole logical state in a canonical form: equal states are equal bytes. */
  bytes: Uint8Array;
  /** Offsets of every block that the structure can reach, for the heap's integrity check. */
  reachable: Float64Array;
}

/** Computes the state after any commit without the target. Pure, deterministic in its seed. */
export interface WorkloadModel {
  /** Canonical bytes of the state after commit `k`, k ≥ 0. Calls come in any order. Not to be changed by the caller. */
  stateAt(k: number): Uint8Array;
}

export interface WorkloadSize {
  /** Bytes of the heap at creation. */
  heapBytes: number;
  /** Scale of the data: accounts, keys, slots … as the workload says. */
  items: number;
  /** Rough number of changes in a commit. */
  changes: number;
  /** A real file that the workload reads, where it does (text-index). */
  input?: string;
}

/** A running workload over one open heap. All calls are synchronous. */
export interface WorkloadSession {
  /** Makes the changes of commit `k` in memory; the caller then calls heap.commit(). */
  change(k: number): void;
  /** Where the workload must commit by itself (threads), it makes commit `k` here, changes included, and returns true. */
  commit?(k: number): boolean;
  close?(): void;
}

export interface Workload {
  readonly name: string;
  readonly summary: string;
  /** Layout name written in the heap's header, e.g. `bank/1`. */
  readonly layout: string;
  /** Other layouts that the workload can open (a schema after its upgrade). */
  readonly otherLayouts?: readonly string[];
  readonly size: WorkloadSize;
  readonly fixedAddress?: boolean;
  /** Loads what all phases need (a text), before the process is forked. What it throws is the user's mistake. */
  prepare?(size: WorkloadSize): void;
  /** Fills an empty heap with state 0. The caller commits. */
  initialise(heap: NativeHeap, seed: number, size: WorkloadSize): void;
  /** Goes on from the state that the heap holds. */
  start(heap: NativeHeap, seed: number, size: WorkloadSize): WorkloadSession;
  /** Reads the whole state and checks the structure's own invariants. */
  read(heap: NativeHeap, seed: number, size: WorkloadSize): ReadState;
  model(seed: number, size: WorkloadSize): WorkloadModel;
  /**
   * Where two states of the same commit differ, in the words of the data: a clause such as
   * `account 17 holds 90 where 100 is right`. Without it, reports count differing bytes.
   */
  explain?(expected: Uint8Array, found: Uint8Array): string;
}
