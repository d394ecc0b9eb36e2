/**
 * The acts of a trial over one heap, for whoever runs them: create, work, open, read and judge.
 * All are synchronous, so that they can run in a forked child.
 *
 * A backend's commit 0 is an empty heap. The workload's own commit 0 is the backend's commit 1; a heap that
 * was made but has no root yet is therefore *absent*: nothing has been acknowledged.
 */
import { native, type HeapOptions, type NativeHeap } from '../native/index.js';
import { BrokenStructure, type ReadState, type Workload, type WorkloadSize } from './workload.js';

/** What the caller chooses; the rest follows from the workload and its size. */
export type SessionOptions = Omit<HeapOptions, 'layout' | 'size' | 'fixedAddress'>;

function heapOptions(workload: Workload, options: SessionOptions, size: WorkloadSize): HeapOptions {
  return {
    ...options,
    layout: workload.layout,
    size: size.heapBytes,
    fixedAddress: workload.fixedAddress ?? false,
  };
}

/** Makes a heap that durably holds the workload's commit 0. */
export function createHeapFor(
  workload: Workload,
  options: SessionOptions,
  seed: number,
  size: WorkloadSize = workload.size,
): NativeHeap {
  const heap = native.createHeap(heapOptions(workload, options, size));
  workload.initialise(heap, seed, size);
  heap.commit();
  return heap;
}

/**
 * Recovers a heap in any layout that the workload can read. Null where there is none yet: no files, or no
 * root. Throws what the native core throws: `code` says which kind (HEAP_TRUNCATED …).
 */
export function openHeapFor(
  workload: Workload,
  options: SessionOptions,
  size: WorkloadSize = workload.size,
): NativeHeap | null {
  const base = heapOptions(workload, options, size);
  let refusal: unknown;
  for (const layout of [workload.layout, ...(workload.otherLayouts ?? [])]) {
    try {
      const heap = native.openHeap({ ...base, layout });
      if (heap.root !== 0) return heap;
      heap.close();
      return null;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === 'HEAP_ABSENT') return null;
      if (code !== 'HEAP_OTHER_LAYOUT') throw error;
      refusal ??= error;
    }
  }
  throw refusal as Error;
}

/** Makes commits `first` to `last`, each told after it is durable. */
export function runCommits(
  heap: NativeHeap,
  workload: Workload,
  seed: number,
  size: WorkloadSize,
  first: number,
  last: number,
  onCommitted: (k: number) => void = () => undefined,
): void {
  const session = workload.start(heap, seed, size);
  try {
    for (let k = first; k <= last; k++) {
      if (session.commit?.(k) !== true) {
        session.change(k);
        heap.commit();
      }
      onCommitted(k);
    }
  } finally {
    session.close?.();
  }
}

export interface Reading {
  /** The commit that the data say they hold; null where that cannot be read. */
  commit: number | null;
  /** Canonical bytes of the whole state, to be compared with the model's; null where that cannot be read. */
  bytes: Uint8Array | null;
  /** What is wrong with structure or allocator, as sentences. Empty: sound. */
  problems: string[];
}

/** True for BrokenStructure, also for one from another copy of its module (a user's). */
export function isBroken(error: unknown): error is Error {
  return error instanceof BrokenStructure || (error instanceof Error && error.name === 'BrokenStructure');
}

/** Reads the whole state of a recovered heap and checks structure and allocator. */
export function readAndVerify(
  heap: NativeHeap,
  workload: Workload,
  seed: number,
  size: WorkloadSize = workload.size,
): Reading {
  let state: ReadState;
  try {
    state = workload.read(heap, seed, size);
  } catch (error) {
    if (!isBroken(error)) throw error;
    return { commit: null, bytes: null, problems: [error.message, ...heap.verify().problems] };
  }
  return { commit: state.commit, bytes: state.bytes, problems: heap.verify(state.reachable).problems };
}

/** A heap whose count of commits is behind its data is still compared; more than this is garbage. */
const plausibleLead = 1000;

/**
 * Why a commit number read from the data cannot be one, or null. Ask before the model is asked for its
 * state: on the way to commit four billion it would not come back.
 */
export function implausible(heap: NativeHeap, commit: number): string | null {
  if (Number.isInteger(commit) && commit >= 0 && commit <= heap.sequence + plausibleLead) return null;
  return `the data say commit ${commit}, but the heap has seen ${heap.sequence} commits`;
}

/** What tells a state from the one that it should be, as a clause; null where they are equal. */
export function differenceFrom(workload: Workload, expected: Uint8Array, found: Uint8Array): string | null {
  const bytes = Buffer.from(found.buffer, found.byteOffset, found.byteLength);
  if (bytes.equals(expected)) return null;
  const words = workload.explain?.(expected, found);
  if (words !== undefined) return words;
  if (found.length !== expected.length) {
    return `the state has ${found.length} bytes where ${expected.length} are right`;
  }
  let differing = 0;
  for (let i = 0; i < found.length; i++) if (found[i] !== expected[i]) differing++;
  return `${differing} of the ${found.length} bytes of the state differ, the first is byte ${bytes.findIndex((byte, i) => byte !== expected[i])}`;
}
