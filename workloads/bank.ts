/**
 * Transfers between many accounts: the sum of all balances never changes. The table of accounts
 * covers several pages, so a commit that is mixed from two is seen by the sum, and by every record.
 *
 * Root block:  0 magic · 4 commit · 8 accounts · 12 chunks · 16 … offset of each chunk.
 * Chunk:       one page of accounts of 16 bytes: number, balance, commit of its last transfer, transfers.
 */
import type { NativeHeap } from '../native/index.js';
import { HeapReader, HeapWriter, sound } from './heap-words.js';
import { IncrementalModel, type Simulation } from './incremental.js';
import { Random } from './random.js';
import { BrokenStructure, type ReadState, type Workload, type WorkloadSize } from './workload.js';

const magic = 0x6b6e6162; // "bank"
const firstBalance = 1000;
const accountBytes = 16;
const chunkBytes = 4096;
const perChunk = chunkBytes / accountBytes;
const rootHead = 16;
const canonicalHead = 8;

/** The transfers of commit `k`, in order. The amount is what is asked for: nobody goes below zero. */
function transfers(
  seed: number,
  k: number,
  size: WorkloadSize,
  transfer: (from: number, to: number, amount: number) => void,
): void {
  const random = new Random(seed, k);
  for (let left = random.about(size.changes); left > 0; left--) {
    const from = random.below(size.items);
    const to = (from + 1 + random.below(size.items - 1)) % size.items;
    transfer(from, to, random.between(1, firstBalance / 2));
  }
}

/** Moves money between two records of a view, in the heap and in the model alike. */
function move(view: DataView, from: number, to: number, wanted: number, k: number): void {
  const balance = view.getUint32(from + 4, true);
  const amount = Math.min(balance, wanted);
  view.setUint32(from + 4, balance - amount, true);
  view.setUint32(to + 4, view.getUint32(to + 4, true) + amount, true);
  for (const record of [from, to]) {
    view.setUint32(record + 8, k, true);
    view.setUint32(record + 12, view.getUint32(record + 12, true) + 1, true);
  }
}

class BankSimulation implements Simulation<Uint8Array> {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(
    readonly seed: number,
    readonly size: WorkloadSize,
  ) {
    this.#bytes = new Uint8Array(canonicalHead + size.items * accountBytes);
    this.#view = new DataView(this.#bytes.buffer);
    this.#view.setUint32(4, size.items, true);
    for (let i = 0; i < size.items; i++) {
      this.#view.setUint32(canonicalHead + i * accountBytes, i, true);
      this.#view.setUint32(canonicalHead + i * accountBytes + 4, firstBalance, true);
    }
  }

  step(k: number): void {
    this.#view.setUint32(0, k, true);
    transfers(this.seed, k, this.size, (from, to, amount) => {
      move(this.#view, canonicalHead + from * accountBytes, canonicalHead + to * accountBytes, amount, k);
    });
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
  const chunks = Math.ceil(size.items / perChunk);
  reader.block(root, rootHead + 4 * chunks, 'the root block');
  sound(reader.get(root) === magic, 'the root block is not that of a bank');
  const commit = reader.get(root + 4);
  sound(
    reader.get(root + 8) === size.items,
    `the bank says it has ${reader.get(root + 8)} accounts, not ${size.items}`,
  );
  sound(
    reader.get(root + 12) === chunks,
    `the bank says it has ${reader.get(root + 12)} chunks, not ${chunks}`,
  );

  const bytes = new Uint8Array(canonicalHead + size.items * accountBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, commit, true);
  view.setUint32(4, size.items, true);
  for (let i = 0; i < chunks; i++) {
    const chunk = reader.get(root + rootHead + 4 * i);
    reader.block(chunk, chunkBytes, 'chunk', i);
    const records = Math.min(perChunk, size.items - i * perChunk);
    bytes.set(reader.bytes.subarray(chunk, chunk + records * accountBytes), canonicalHead + i * chunkBytes);
  }
  for (let i = 0, at = canonicalHead; i < size.items; i++, at += accountBytes) {
    if (view.getUint32(at, true) !== i) {
      throw new BrokenStructure(`the record of account ${i} carries the number ${view.getUint32(at, true)}`);
    }
  }
  return { commit, bytes, reachable: reader.reachable() };
}

function sumOf(view: DataView): number {
  let sum = 0;
  for (let at = canonicalHead; at + accountBytes <= view.byteLength; at += accountBytes)
    sum += view.getUint32(at + 4, true);
  return sum;
}

/** Names the first account that differs, how many do, and the sum where it is wrong. */
function explain(expected: Uint8Array, found: Uint8Array): string {
  const right = new DataView(expected.buffer, expected.byteOffset, expected.byteLength);
  const wrong = new DataView(found.buffer, found.byteOffset, found.byteLength);
  let differing = 0;
  let first = '';
  for (
    let at = canonicalHead;
    at + accountBytes <= Math.min(right.byteLength, wrong.byteLength);
    at += accountBytes
  ) {
    let same = true;
    for (let word = 0; word < accountBytes; word += 4) {
      same &&= right.getUint32(at + word, true) === wrong.getUint32(at + word, true);
    }
    if (same) continue;
    if (differing++ === 0) {
      const words = (view: DataView): string =>
        `${view.getUint32(at + 4, true)} (last transfer in commit ${view.getUint32(at + 8, true)})`;
      first = `account ${(at - canonicalHead) / accountBytes} holds ${words(wrong)} where ${words(right)} is right`;
    }
  }
  if (differing === 0) return 'the bank has another number of accounts';
  const sums =
    sumOf(wrong) === sumOf(right)
      ? ''
      : `, and all balances add up to ${sumOf(wrong)}, not to ${sumOf(right)}`;
  return `${first}; ${differing} of ${right.getUint32(4, true)} accounts are wrong${sums}`;
}

export const bank: Workload = {
  name: 'bank',
  summary: 'transfers between many accounts; the sum never changes',
  layout: 'bank/1',
  size: { heapBytes: 64 << 10, items: 2048, changes: 8 },

  initialise(heap, _seed, size) {
    if (size.items < 2) throw new Error('a bank needs at least 2 accounts');
    const writer = new HeapWriter(heap);
    const chunks = Math.ceil(size.items / perChunk);
    const root = writer.allocate(rootHead + 4 * chunks);
    writer.set(root, magic);
    writer.set(root + 8, size.items);
    writer.set(root + 12, chunks);
    for (let i = 0; i < chunks; i++) {
      const chunk = writer.allocate(chunkBytes);
      writer.set(root + rootHead + 4 * i, chunk);
      for (let account = i * perChunk; account < Math.min(size.items, (i + 1) * perChunk); account++) {
        const record = chunk + (account - i * perChunk) * accountBytes;
        writer.set(record, account);
        writer.set(record + 4, firstBalance);
      }
    }
    heap.root = root;
  },

  start(heap, seed, size) {
    const { view } = new HeapWriter(heap);
    const { root } = heap;
    const chunks: number[] = [];
    for (let i = 0; i < Math.ceil(size.items / perChunk); i++)
      chunks.push(view.getUint32(root + rootHead + 4 * i, true));
    const record = (account: number): number =>
      (chunks[Math.floor(account / perChunk)] ?? 0) + (account % perChunk) * accountBytes;
    return {
      change(k) {
        view.setUint32(root + 4, k, true);
        transfers(seed, k, size, (from, to, amount) => move(view, record(from), record(to), amount, k));
      },
    };
  },

  read,
  model: (seed, size) => new IncrementalModel(new BankSimulation(seed, size)),
  explain,
};
