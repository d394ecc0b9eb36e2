/**
 * A C++ std::map<uint64, uint64> whose nodes lie in the heap, through an allocator of its own: pointers, not
 * offsets, so the heap is always mapped at one address. Key 0 holds the commit number.
 */
import { native, type NativeHeap } from '../native/index.js';
import { IncrementalModel, type Simulation } from './incremental.js';
import { mix, Random } from './random.js';
import { BrokenStructure, type ReadState, type Workload, type WorkloadSize } from './workload.js';

interface Pairs {
  insert(key: number, value: number): void;
  erase(key: number): void;
}

/** Keys lie in [1, 2 × items]; about half of them are there. */
function populate(seed: number, size: WorkloadSize, pairs: Pairs): void {
  pairs.insert(0, 0);
  for (let key = 1; key <= 2 * size.items; key++) {
    const drawn = mix(seed, key);
    if (drawn % 2 === 0) pairs.insert(key, drawn);
  }
}

function changeAll(seed: number, k: number, size: WorkloadSize, pairs: Pairs): void {
  const random = new Random(seed, k);
  // For eight commits the map rather grows, for eight it rather shrinks.
  const inserts = k % 16 < 8 ? 7 : 3;
  for (let left = random.about(size.changes); left > 0; left--) {
    const key = random.between(1, 2 * size.items);
    if (random.below(10) < inserts) pairs.insert(key, mix(seed, key, k) + k * 2 ** 32);
    else pairs.erase(key);
  }
  pairs.insert(0, k);
}

const absent = -1;

class MapSimulation implements Simulation<Float64Array>, Pairs {
  /** Value of each key, or `absent`. */
  #values: Float64Array;
  #count = 0;

  constructor(
    readonly seed: number,
    readonly size: WorkloadSize,
  ) {
    this.#values = new Float64Array(2 * size.items + 1).fill(absent);
    populate(seed, size, this);
  }

  insert(key: number, value: number): void {
    if (this.#values[key] === absent) this.#count++;
    this.#values[key] = value;
  }

  erase(key: number): void {
    if (this.#values[key] !== absent) this.#count--;
    this.#values[key] = absent;
  }

  step(k: number): void {
    changeAll(this.seed, k, this.size, this);
  }

  encode(): Uint8Array {
    const pairs = new Float64Array(2 * this.#count);
    let length = 0;
    for (let key = 0; key < this.#values.length; key++) {
      const value = this.#values[key] ?? absent;
      if (value === absent) continue;
      pairs[length++] = key;
      pairs[length++] = value;
    }
    return new Uint8Array(pairs.buffer);
  }

  save(): Float64Array {
    return this.#values.slice();
  }

  restore(saved: Float64Array): void {
    this.#values = saved.slice();
    this.#count = 0;
    for (const value of saved) if (value !== absent) this.#count++;
  }
}

function read(heap: NativeHeap): ReadState {
  let entries: Float64Array;
  let reachable: Float64Array;
  try {
    const map = native.openStlMap(heap);
    entries = map.entries();
    reachable = map.blocks();
  } catch (error) {
    // Whatever the native side says about a map that it cannot walk is about the structure.
    throw new BrokenStructure((error as Error).message);
  }
  const commit = entries[1];
  if (entries[0] !== 0 || commit === undefined)
    throw new BrokenStructure('the map has no key 0, which holds the commit');
  return { commit, bytes: new Uint8Array(entries.buffer, entries.byteOffset, entries.byteLength), reachable };
}

/** Names the keys that differ. */
function explain(expected: Uint8Array, found: Uint8Array): string {
  const right = pairsOf(expected);
  const wrong = pairsOf(found);
  const differing = [...new Set([...right.keys(), ...wrong.keys()])].filter(
    (key) => right.get(key) !== wrong.get(key),
  );
  const [first] = differing.sort((a, b) => a - b);
  if (first === undefined) return 'the same pairs are in another order';
  const words = (value: number | undefined): string => (value === undefined ? 'nothing' : String(value));
  return `key ${first} holds ${words(wrong.get(first))} where ${words(right.get(first))} is right; ${differing.length} of ${right.size} keys differ`;
}

function pairsOf(bytes: Uint8Array): Map<number, number> {
  const pairs = new Float64Array(bytes.slice().buffer);
  const map = new Map<number, number>();
  for (let i = 0; i + 1 < pairs.length; i += 2) map.set(pairs[i] ?? 0, pairs[i + 1] ?? 0);
  return map;
}

export const stlMap: Workload = {
  name: 'stl-map',
  summary: 'a C++ std::map whose nodes live in the heap, driven from TypeScript',
  layout: 'stl-map/1',
  size: { heapBytes: 128 << 10, items: 384, changes: 16 },
  fixedAddress: true,

  initialise(heap, seed, size) {
    populate(seed, size, native.openStlMap(heap));
  },

  start(heap, seed, size) {
    const map = native.openStlMap(heap);
    return { change: (k) => changeAll(seed, k, size, map) };
  },

  read,
  model: (seed, size) => new IncrementalModel(new MapSimulation(seed, size)),
  explain,
};
