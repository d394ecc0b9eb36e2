/**
 * Native threads write an array in the heap while another thread commits: a commit holds what all of them
 * had done when it began, and what they do while its flush is under way belongs to the next one.
 *
 * Root block: 0 magic · 4 commit · 8 threads · 12 slots · 16 offset of the array (32-bit slots).
 * What the threads write is defined in native/workloads/threads_work.h.
 */
import { native, type NativeHeap } from '../native/index.js';
import { HeapReader, HeapWriter, sound } from './heap-words.js';
import { IncrementalModel, type Simulation } from './incremental.js';
import { mix, spread } from './random.js';
import type { ReadState, Workload, WorkloadSession, WorkloadSize } from './workload.js';

const magic = 0x64726874; // "thrd"
const rootBytes = 32;
const threads = 4;
const slotBytes = 4;
const canonicalHead = 8;

function firstValue(seed: number, slot: number): number {
  return mix(seed, slot, 0);
}

/** What thread `t` writes in batch `k`, as the native threads do it. */
function writeBatch(
  slots: DataView,
  start: number,
  seed: number,
  k: number,
  t: number,
  size: WorkloadSize,
): void {
  const first = Math.floor((size.items * t) / threads);
  const share = Math.floor((size.items * (t + 1)) / threads) - first;
  if (share === 0) return;
  const base = mix(seed, k, t);
  for (let j = 0; j < size.changes; j++) {
    const slot = first + (spread(base + 2 * j) % share);
    slots.setUint32(start + slotBytes * slot, spread(base + 2 * j + 1), true);
  }
}

class ThreadsSimulation implements Simulation<Uint8Array> {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(
    readonly seed: number,
    readonly size: WorkloadSize,
  ) {
    this.#bytes = new Uint8Array(canonicalHead + slotBytes * size.items);
    this.#view = new DataView(this.#bytes.buffer);
    this.#view.setUint32(4, size.items, true);
    for (let slot = 0; slot < size.items; slot++) {
      this.#view.setUint32(canonicalHead + slotBytes * slot, firstValue(seed, slot), true);
    }
  }

  step(k: number): void {
    this.#view.setUint32(0, k, true);
    for (let t = 0; t < threads; t++) writeBatch(this.#view, canonicalHead, this.seed, k, t, this.size);
  }

  encode(): Uint8Array {
    return this.#bytes.slice();
  }

  save(): Uint8Array {
    return this.#bytes.slice();
  }

  restore(saved: Uint8Array): void {
    this.#bytes.set(saved);
  }
}

function read(heap: NativeHeap, _seed: number, size: WorkloadSize): ReadState {
  const reader = new HeapReader(heap);
  const { root } = reader;
  reader.block(root, rootBytes, 'the root block');
  sound(reader.get(root) === magic, 'the root block is not that of an array written by threads');
  const commit = reader.get(root + 4);
  const slots = reader.get(root + 12);
  const array = reader.get(root + 16);
  sound(
    reader.get(root + 8) === threads,
    `the data say that ${reader.get(root + 8)} threads write, not ${threads}`,
  );
  sound(slots === size.items, `the data say that there are ${slots} slots, not ${size.items}`);
  reader.block(array, slotBytes * slots, 'the array');
  const bytes = new Uint8Array(canonicalHead + slotBytes * slots);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, commit, true);
  view.setUint32(4, slots, true);
  bytes.set(reader.bytes.subarray(array, array + slotBytes * slots), canonicalHead);
  return { commit, bytes, reachable: reader.reachable() };
}

/** Names the threads whose slots differ: one that is behind has lost a batch. */
function explain(expected: Uint8Array, found: Uint8Array): string {
  const right = new DataView(expected.buffer, expected.byteOffset, expected.byteLength);
  const wrong = new DataView(found.buffer, found.byteOffset, found.byteLength);
  const slots = right.getUint32(4, true);
  const counts = new Array<number>(threads).fill(0);
  let first = -1;
  for (let slot = 0; slot < slots; slot++) {
    const at = canonicalHead + slotBytes * slot;
    if (right.getUint32(at, true) === wrong.getUint32(at, true)) continue;
    if (first < 0) first = slot;
    const thread = counts.findIndex((_, t) => slot < Math.floor((slots * (t + 1)) / threads));
    counts[thread] = (counts[thread] ?? 0) + 1;
  }
  const words = counts.flatMap((count, t) => (count === 0 ? [] : [`${count} slots of thread ${t}`]));
  return `${words.join(', ')} hold another commit's values (first: slot ${first})`;
}

export const threadsWorkload: Workload = {
  name: 'threads',
  summary: 'native threads write while one commits',
  layout: 'threads/1',
  // `changes` is for each thread.
  size: { heapBytes: 64 << 10, items: 10 << 10, changes: 16 },

  initialise(heap, seed, size) {
    const writer = new HeapWriter(heap);
    const root = writer.allocate(rootBytes);
    const array = writer.allocate(slotBytes * size.items);
    for (let slot = 0; slot < size.items; slot++)
      writer.set(array + slotBytes * slot, firstValue(seed, slot));
    writer.set(root, magic);
    writer.set(root + 8, threads);
    writer.set(root + 12, size.items);
    writer.set(root + 16, array);
    heap.root = root;
  },

  start(heap, seed, size): WorkloadSession {
    const { view } = new HeapWriter(heap);
    const { root } = heap;
    const array = view.getUint32(root + 16, true);
    const from = view.getUint32(root + 4, true);
    const work = native.startThreads(heap, {
      threads,
      slots: size.items,
      array,
      seed,
      from,
      writes: size.changes,
    });
    return {
      change() {
        throw new Error('threads change the heap by themselves: use commit');
      },
      commit(k) {
        // Before the capture, while the threads write elsewhere.
        view.setUint32(root + 4, k, true);
        work.commit(k);
        return true;
      },
      close: () => work.stop(),
    };
  },

  read,
  model: (seed, size) => new IncrementalModel(new ThreadsSimulation(seed, size)),
  explain,
};
