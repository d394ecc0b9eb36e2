/**
 * A persistent B+-tree under inserts, updates and deletes of values of many sizes. The heap grows while keys
 * are added, churns, and shrinks again when they go; where in that cycle a run begins follows from its seed.
 *
 * Root block: 0 magic · 4 commit · 8 keys · 12 root node · 16 height.
 */
import type { NativeHeap } from '../native/index.js';
import { BTree, valueHead } from './btree.js';
import { readTree } from './btree-read.js';
import { Canonical, HeapReader, HeapWriter, sound } from './heap-words.js';
import { IncrementalModel, type Simulation } from './incremental.js';
import { fill, mix, Random, spread } from './random.js';
import type { ReadState, Workload, WorkloadSession, WorkloadSize } from './workload.js';

const magic = 0x7470766b; // "kvpt"
const rootBytes = 32;
const maxLength = 12_000;

/** A store of values, in a heap or in the model. The bytes of a value follow from its key and `version`. */
interface Store {
  put(key: number, length: number, version: number): void;
  remove(key: number): void;
}

interface Cycle {
  keySpace: number;
  grow: number;
  churn: number;
  shrink: number;
  /** Where in the cycle commit 0 lies. */
  offset: number;
}

function cycleOf(seed: number, size: WorkloadSize): Cycle {
  const grow = Math.max(4, Math.ceil(size.items / size.changes));
  const churn = Math.max(2, grow >> 1);
  const shrink = Math.max(3, grow >> 1);
  // Commit 0 never lies in the part that shrinks: then there would be nothing to see of growth for long.
  return { keySpace: 2 * size.items, grow, churn, shrink, offset: mix(seed, 0, 1) % (grow + churn) };
}

function putOne(random: Random, cycle: Cycle, version: number, store: Store): void {
  const length = random.below(12) === 0 ? random.between(2000, maxLength) : random.between(0, 240);
  store.put(random.below(cycle.keySpace), length, version);
}

/** State 0: as many keys as the cycle has at that point. */
function populate(seed: number, size: WorkloadSize, store: Store): void {
  const cycle = cycleOf(seed, size);
  const random = new Random(seed, 0);
  const share = Math.min(1, (cycle.offset + 1) / cycle.grow);
  for (let n = Math.ceil(share * size.items); n > 0; n--) putOne(random, cycle, n, store);
}

/** The changes of commit `k`. Returns true where the heap is to be trimmed at the end. */
function changeAll(seed: number, k: number, size: WorkloadSize, store: Store): boolean {
  const cycle = cycleOf(seed, size);
  const length = cycle.grow + cycle.churn + cycle.shrink;
  const place = (k + cycle.offset) % length;
  const round = Math.floor((k + cycle.offset) / length);
  const random = new Random(seed, k);
  if (place < cycle.grow + cycle.churn) {
    const removals = place < cycle.grow ? 1 : 5;
    for (let n = random.about(size.changes); n > 0; n--) {
      if (random.below(10) < removals) store.remove(random.below(cycle.keySpace));
      else putOne(random, cycle, spread(k) + n, store);
    }
    return false;
  }
  // One stripe of all keys goes with each commit: in even rounds all of it, in odd ones an eighth stays.
  const stripe = place - cycle.grow - cycle.churn;
  for (let key = 0; key < cycle.keySpace; key++) {
    const drawn = mix(seed, key, round);
    if (drawn % cycle.shrink === stripe && (round % 2 === 0 || drawn >>> 29 !== 0)) store.remove(key);
  }
  return stripe === cycle.shrink - 1;
}

class HeapStore implements Store, WorkloadSession {
  readonly #w: HeapWriter;
  readonly #tree: BTree;
  readonly #root: number;

  constructor(
    heap: NativeHeap,
    readonly seed: number,
    readonly size: WorkloadSize,
  ) {
    this.#w = new HeapWriter(heap);
    this.#root = heap.root;
    this.#tree = new BTree(this.#w, { rootAt: heap.root + 12, heightAt: heap.root + 16 });
  }

  change(k: number): void {
    this.#w.set(this.#root + 4, k);
    if (changeAll(this.seed, k, this.size, this)) this.#w.trim();
  }

  fillTree(): void {
    this.#tree.create();
    populate(this.seed, this.size, this);
  }

  put(key: number, length: number, version: number): void {
    const w = this.#w;
    const present = this.#tree.find(key);
    let value = present;
    if (present === 0 || sizeClass(w.get(present + 4)) !== sizeClass(length)) {
      value = w.allocate(valueHead + ((length + 3) & ~3));
      this.#tree.put(key, value);
      if (present === 0) w.set(this.#root + 8, w.get(this.#root + 8) + 1);
      else w.release(present);
    }
    w.set(value, key);
    w.set(value + 4, length);
    fill(w.view, value + valueHead, length, mix(this.seed, key, version));
  }

  remove(key: number): void {
    const value = this.#tree.remove(key);
    if (value === 0) return;
    this.#w.release(value);
    this.#w.set(this.#root + 8, this.#w.get(this.#root + 8) - 1);
  }
}

/** Values of the same number of words are overwritten in place. */
function sizeClass(length: number): number {
  return (length + 3) >> 2;
}

interface Saved {
  k: number;
  count: number;
  records: (Uint8Array | undefined)[];
}

/** Keeps each value in canonical form: key, length, bytes. */
class KvSimulation implements Simulation<Saved>, Store {
  #k = 0;
  #count = 0;
  #records: (Uint8Array | undefined)[];
  /** Length of the last encoding: a good guess for the next one. */
  #guess = 4096;

  constructor(
    readonly seed: number,
    readonly size: WorkloadSize,
  ) {
    this.#records = new Array<undefined>(cycleOf(seed, size).keySpace).fill(undefined);
    populate(seed, size, this);
  }

  step(k: number): void {
    this.#k = k;
    changeAll(this.seed, k, this.size, this);
  }

  put(key: number, length: number, version: number): void {
    const record = new Uint8Array(valueHead + ((length + 3) & ~3));
    const view = new DataView(record.buffer);
    view.setUint32(0, key, true);
    view.setUint32(4, length, true);
    fill(view, valueHead, length, mix(this.seed, key, version));
    if (this.#records[key] === undefined) this.#count++;
    this.#records[key] = record;
  }

  remove(key: number): void {
    if (this.#records[key] === undefined) return;
    this.#records[key] = undefined;
    this.#count--;
  }

  encode(): Uint8Array {
    const out = new Canonical(this.#guess + (this.#guess >> 2));
    out.word(this.#k);
    out.word(this.#count);
    for (const record of this.#records) if (record !== undefined) out.record(record);
    const bytes = out.finish();
    this.#guess = bytes.length;
    return bytes;
  }

  save(): Saved {
    return { k: this.#k, count: this.#count, records: [...this.#records] };
  }

  restore(saved: Saved): void {
    this.#k = saved.k;
    this.#count = saved.count;
    this.#records = [...saved.records];
  }
}

function read(heap: NativeHeap, seed: number, size: WorkloadSize): ReadState {
  const reader = new HeapReader(heap);
  const { root } = reader;
  reader.block(root, rootBytes, 'the root block');
  sound(reader.get(root) === magic, 'the root block is not that of a key-value store');
  const commit = reader.get(root + 4);
  const count = reader.get(root + 8);
  const { keySpace } = cycleOf(seed, size);
  const out = new Canonical(reader.size);
  out.word(commit);
  out.word(count);
  const found = readTree(reader, reader.get(root + 12), reader.get(root + 16), { keySpace, maxLength }, out);
  sound(found === count, `the tree holds ${found} keys, but the root block says ${count}`);
  return { commit, bytes: out.finish(), reachable: reader.reachable() };
}

/** Goes through both lists of keys side by side. */
function explain(expected: Uint8Array, found: Uint8Array): string {
  const right = records(expected);
  const wrong = records(found);
  const missing: number[] = [];
  const changed: number[] = [];
  for (const [key, record] of right) {
    const other = wrong.get(key);
    if (other === undefined) missing.push(key);
    else if (!record.equals(other)) changed.push(key);
  }
  const extra = [...wrong.keys()].filter((key) => !right.has(key));
  const parts = [
    [missing, 'missing'],
    [changed, 'with another value'],
    [extra, 'that should not be there'],
  ] as const;
  const words = parts
    .filter(([keys]) => keys.length > 0)
    .map(([keys, what]) => `${keys.length} keys ${what} (first: ${keys[0] ?? 0})`);
  return `of ${right.size} keys there are ${words.join(', ')}`;
}

function records(bytes: Uint8Array): Map<number, Buffer> {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const map = new Map<number, Buffer>();
  for (let at = 8; at < all.length;) {
    const end = at + valueHead + ((all.readUInt32LE(at + 4) + 3) & ~3);
    map.set(all.readUInt32LE(at), all.subarray(at, end));
    at = end;
  }
  return map;
}

export const kv: Workload = {
  name: 'kv',
  summary: 'a B+-tree with values of many sizes; the heap grows and shrinks',
  layout: 'kv/1',
  size: { heapBytes: 64 << 10, items: 256, changes: 24 },

  initialise(heap, seed, size) {
    if (size.items < 1) throw new Error('a key-value store needs room for at least one key');
    const writer = new HeapWriter(heap);
    const root = writer.allocate(rootBytes);
    writer.set(root, magic);
    heap.root = root;
    new HeapStore(heap, seed, size).fillTree();
  },

  start: (heap, seed, size) => new HeapStore(heap, seed, size),
  read,
  model: (seed, size) => new IncrementalModel(new KvSimulation(seed, size)),
  explain,
};
