/**
 * An inverted index of a real text: each commit adds the next words of the text to it, and once the window
 * of 16,384 words is full, or the text ends, takes the oldest out again, until nothing is left and it begins anew.
 *
 * Root block: 0 magic · 4 commit · 8 fingerprint of the text · 12 words in the text · 16 first position in the index ·
 *             20 position behind the last · 24 distinct words · 28 buckets · 32 table of buckets.
 * Entry:      0 next in the bucket · 4 hash · 8 occurrences · 12 first list block · 16 last list block · 20 length · 24 … word.
 * List block: 0 next · 4 first place in use · 8 place behind the last · 12 … 13 positions.
 * Chains are sorted by hash and word, so that equal states have one order.
 */
import type { NativeHeap } from '../native/index.js';
import { Canonical, HeapReader, HeapWriter, sound } from './heap-words.js';
import { IncrementalModel, type Simulation } from './incremental.js';
import { hashWord, loadText, maxWordBytes, type Text } from './text.js';
import {
  BrokenStructure,
  type ReadState,
  type Workload,
  type WorkloadSession,
  type WorkloadSize,
} from './workload.js';

const magic = 0x74786574; // "text"
const rootBytes = 48;
const entryHead = 24;
const listBytes = 64;
const listHead = 12;
const listPlaces = (listBytes - listHead) / 4;
const maxWindow = 1 << 14;
const noBytes = new Uint8Array(0);

/** Where each trial begins in the text: the positions in the index after commit `k` are [from, to). */
function windowAt(text: Text, seed: number, k: number, size: WorkloadSize): { from: number; to: number } {
  const length = text.tokens.length;
  const rounds = Math.ceil((length + Math.min(length, maxWindow)) / size.changes);
  const begin = seed % Math.max(1, Math.floor(length / size.changes));
  const to = ((begin + k) % rounds) * size.changes;
  return { from: Math.min(length, Math.max(0, to - maxWindow, to - length)), to: Math.min(length, to) };
}

class HeapIndex implements WorkloadSession {
  readonly #w: HeapWriter;
  readonly #root: number;
  readonly #text: Text;

  constructor(
    heap: NativeHeap,
    readonly seed: number,
    readonly size: WorkloadSize,
  ) {
    this.#w = new HeapWriter(heap);
    this.#root = heap.root;
    this.#text = loadText(size.input);
  }

  change(k: number): void {
    const w = this.#w;
    const root = this.#root;
    w.set(root + 4, k);
    const { from, to } = windowAt(this.#text, this.seed, k, this.size);
    // A new round begins: what is left of the one before goes first.
    if (to < w.get(root + 20)) {
      this.#removeUpTo(w.get(root + 20));
      w.set(root + 16, 0);
      w.set(root + 20, 0);
    }
    for (let position = w.get(root + 20); position < to; position++) this.#add(position);
    w.set(root + 20, to);
    this.#removeUpTo(from);
  }

  #removeUpTo(end: number): void {
    for (let position = this.#w.get(this.#root + 16); position < end; position++) this.#remove(position);
    this.#w.set(this.#root + 16, end);
  }

  /** The place of the link that leads to the first entry not before this word. */
  #linkTo(word: number): number {
    const w = this.#w;
    const hash = this.#text.hashes[word] ?? 0;
    let link = w.get(this.#root + 32) + 4 * (hash % w.get(this.#root + 28));
    for (let entry = w.get(link); entry !== 0; entry = w.get(link)) {
      if (this.#compare(entry, hash, word) >= 0) break;
      link = entry;
    }
    return link;
  }

  #compare(entry: number, hash: number, word: number): number {
    const w = this.#w;
    if (w.get(entry + 4) !== hash) return w.get(entry + 4) - hash;
    const bytes = this.#text.words[word] ?? noBytes;
    const length = w.get(entry + 20);
    for (let i = 0; i < Math.min(length, bytes.length); i++) {
      const difference = w.view.getUint8(entry + entryHead + i) - (bytes[i] ?? 0);
      if (difference !== 0) return difference;
    }
    return length - bytes.length;
  }

  #add(position: number): void {
    const w = this.#w;
    const word = this.#text.tokens[position] ?? 0;
    const link = this.#linkTo(word);
    let entry = w.get(link);
    if (entry === 0 || this.#compare(entry, this.#text.hashes[word] ?? 0, word) !== 0)
      entry = this.#insert(link, word);
    let list = w.get(entry + 16);
    if (list === 0 || w.get(list + 8) === listPlaces) {
      const next = w.allocate(listBytes);
      w.set(list === 0 ? entry + 12 : list, next);
      w.set(entry + 16, next);
      list = next;
    }
    const end = w.get(list + 8);
    w.set(list + listHead + 4 * end, position);
    w.set(list + 8, end + 1);
    w.set(entry + 8, w.get(entry + 8) + 1);
  }

  #insert(link: number, word: number): number {
    const w = this.#w;
    const bytes = this.#text.words[word] ?? noBytes;
    const entry = w.allocate(entryHead + ((bytes.length + 3) & ~3));
    w.set(entry, w.get(link));
    w.set(entry + 4, this.#text.hashes[word] ?? 0);
    w.set(entry + 20, bytes.length);
    for (let i = 0; i < bytes.length; i++) w.view.setUint8(entry + entryHead + i, bytes[i] ?? 0);
    w.set(link, entry);
    w.set(this.#root + 24, w.get(this.#root + 24) + 1);
    return entry;
  }

  /** Takes the oldest occurrence of a word out: always the first of its list. */
  #remove(position: number): void {
    const w = this.#w;
    const link = this.#linkTo(this.#text.tokens[position] ?? 0);
    const entry = w.get(link);
    const list = w.get(entry + 12);
    const first = w.get(list + 4);
    w.set(list + listHead + 4 * first, 0);
    w.set(list + 4, first + 1);
    w.set(entry + 8, w.get(entry + 8) - 1);
    if (first + 1 === w.get(list + 8)) {
      const next = w.get(list);
      w.set(entry + 12, next);
      if (next === 0) w.set(entry + 16, 0);
      w.release(list);
    }
    if (w.get(entry + 8) > 0) return;
    w.set(link, w.get(entry));
    w.set(this.#root + 24, w.get(this.#root + 24) - 1);
    w.release(entry);
  }
}

/** The index without a heap: where each word occurs in the whole text, in the canonical order of words. */
class TextSimulation implements Simulation<number> {
  #k = 0;
  readonly #text: Text;
  readonly #order: { head: Uint8Array; positions: Int32Array }[];

  constructor(
    readonly seed: number,
    readonly size: WorkloadSize,
  ) {
    const text = loadText(size.input);
    this.#text = text;
    const { words, hashes, tokens } = text;
    const positions: number[][] = words.map(() => []);
    tokens.forEach((word, position) => positions[word]?.push(position));
    const order = words.map((_, word) => word);
    order.sort((a, b) => {
      const [x, y] = [hashes[a] ?? 0, hashes[b] ?? 0];
      return (
        (x % size.items) - (y % size.items) ||
        x - y ||
        Buffer.compare(words[a] ?? noBytes, words[b] ?? noBytes)
      );
    });
    this.#order = order.map((word) => ({
      head: canonicalWord(words[word] ?? noBytes),
      positions: Int32Array.from(positions[word] ?? []),
    }));
  }

  step(k: number): void {
    this.#k = k;
  }

  encode(): Uint8Array {
    const { from, to } = windowAt(this.#text, this.seed, this.#k, this.size);
    const out = new Canonical(4096 + 16 * (to - from));
    for (const word of [this.#k, this.#text.fingerprint, from, to]) out.word(word);
    for (const { head, positions } of this.#order) {
      const first = lowerBound(positions, from);
      const last = lowerBound(positions, to);
      if (first === last) continue;
      out.record(head);
      out.word(last - first);
      for (let i = first; i < last; i++) out.word(positions[i] ?? 0);
    }
    return out.finish();
  }

  save(): number {
    return this.#k;
  }

  restore(saved: number): void {
    this.#k = saved;
  }
}

/** Length and bytes of a word. */
function canonicalWord(bytes: Uint8Array): Uint8Array {
  const out = new Canonical(4 + maxWordBytes);
  out.word(bytes.length);
  out.run(bytes, 0, bytes.length);
  return out.finish().slice();
}

function lowerBound(positions: Int32Array, value: number): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((positions[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Appends the occurrences of an entry. Returns how many there are. */
function readList(reader: HeapReader, entry: number, from: number, to: number, out: Canonical): number {
  const count = reader.get(entry + 8);
  out.word(count);
  let seen = 0;
  let previous = from - 1;
  let last = 0;
  for (let list = reader.get(entry + 12); list !== 0; list = reader.get(list)) {
    reader.block(list, listBytes, 'a list of positions');
    last = list;
    const first = reader.get(list + 4);
    const end = reader.get(list + 8);
    if (first >= end || end > listPlaces)
      throw new BrokenStructure(`the list block at ${list} holds places ${first} to ${end}`);
    for (let i = first; i < end; i++) {
      const position = reader.get(list + listHead + 4 * i);
      if (position <= previous || position >= to) {
        throw new BrokenStructure(`position ${position} in the list block at ${list} is out of order`);
      }
      previous = position;
      out.word(position);
    }
    seen += end - first;
  }
  if (reader.get(entry + 16) !== last)
    throw new BrokenStructure(`the entry at ${entry} names another last list block`);
  if (seen !== count || count === 0) {
    throw new BrokenStructure(`the entry at ${entry} says ${count} occurrences, its lists hold ${seen}`);
  }
  return count;
}

function readChain(
  reader: HeapReader,
  bucket: number,
  buckets: number,
  from: number,
  to: number,
  out: Canonical,
): { words: number; occurrences: number } {
  let words = 0;
  let occurrences = 0;
  let previous = -1;
  for (
    let entry = reader.get(reader.get(reader.root + 32) + 4 * bucket);
    entry !== 0;
    entry = reader.get(entry)
  ) {
    reader.block(entry, entryHead, 'the entry of a word in bucket', bucket);
    const hash = reader.get(entry + 4);
    const length = reader.get(entry + 20);
    if (length < 1 || length > maxWordBytes || entry + entryHead + length > reader.size) {
      throw new BrokenStructure(`the word of the entry at ${entry} says it has ${length} bytes`);
    }
    if (
      hash !== hashWord(reader.bytes, entry + entryHead, length) ||
      hash % buckets !== bucket ||
      hash < previous
    ) {
      throw new BrokenStructure(
        `the entry at ${entry} lies in bucket ${bucket}, but its word does not belong there`,
      );
    }
    previous = hash;
    out.word(length);
    out.run(reader.bytes, entry + entryHead, length);
    occurrences += readList(reader, entry, from, to, out);
    words++;
  }
  return { words, occurrences };
}

function read(heap: NativeHeap, _seed: number, size: WorkloadSize): ReadState {
  const text = loadText(size.input);
  const reader = new HeapReader(heap);
  const { root } = reader;
  reader.block(root, rootBytes, 'the root block');
  sound(reader.get(root) === magic, 'the root block is not that of a text index');
  sound(
    reader.get(root + 8) === text.fingerprint && reader.get(root + 12) === text.tokens.length,
    `the index was not made from ${text.file} as it is now`,
  );
  const commit = reader.get(root + 4);
  const from = reader.get(root + 16);
  const to = reader.get(root + 20);
  const buckets = reader.get(root + 28);
  sound(from <= to && to <= text.tokens.length, `the index says it covers positions ${from} to ${to}`);
  sound(buckets === size.items, `the index says it has ${buckets} buckets, not ${size.items}`);
  reader.block(reader.get(root + 32), 4 * buckets, 'the table of buckets');

  const out = new Canonical(4096 + 16 * (to - from));
  for (const word of [commit, text.fingerprint, from, to]) out.word(word);
  let words = 0;
  let occurrences = 0;
  for (let bucket = 0; bucket < buckets; bucket++) {
    if (reader.get(reader.get(root + 32) + 4 * bucket) === 0) continue;
    const chain = readChain(reader, bucket, buckets, from, to, out);
    words += chain.words;
    occurrences += chain.occurrences;
  }
  sound(words === reader.get(root + 24), `the index holds ${words} words, but says ${reader.get(root + 24)}`);
  sound(
    occurrences === to - from,
    `the index holds ${occurrences} occurrences of the ${to - from} it covers`,
  );
  return { commit, bytes: out.finish(), reachable: reader.reachable() };
}

/** Positions of a word (in lower case) in the part of the text that a sound heap has indexed. */
export function lookUp(heap: NativeHeap, word: string): number[] {
  const reader = new HeapReader(heap);
  const wanted = Buffer.from(word, 'utf8').subarray(0, maxWordBytes);
  const hash = hashWord(wanted, 0, wanted.length);
  const bucket = hash % reader.get(reader.root + 28);
  let entry = reader.get(reader.get(reader.root + 32) + 4 * bucket);
  for (; entry !== 0; entry = reader.get(entry)) {
    const start = entry + entryHead;
    if (wanted.equals(reader.bytes.subarray(start, start + reader.get(entry + 20)))) break;
  }
  const positions: number[] = [];
  for (let list = entry === 0 ? 0 : reader.get(entry + 12); list !== 0; list = reader.get(list)) {
    for (let i = reader.get(list + 4); i < reader.get(list + 8); i++)
      positions.push(reader.get(list + listHead + 4 * i));
  }
  return positions;
}

export const textIndex: Workload = {
  name: 'text-index',
  summary: 'an inverted index of a text that you name (--input), or of our own documentation',
  layout: 'text-index/1',
  size: { heapBytes: 128 << 10, items: 256, changes: 48 },

  prepare: (size) => void loadText(size.input),

  initialise(heap, seed, size) {
    if (size.items < 1) throw new Error('an index needs at least one bucket');
    const text = loadText(size.input);
    const w = new HeapWriter(heap);
    const root = w.allocate(rootBytes);
    const buckets = w.allocate(4 * size.items);
    w.set(root, magic);
    w.set(root + 8, text.fingerprint);
    w.set(root + 12, text.tokens.length);
    w.set(root + 28, size.items);
    w.set(root + 32, buckets);
    heap.root = root;
    new HeapIndex(heap, seed, size).change(0);
  },

  start: (heap, seed, size) => new HeapIndex(heap, seed, size),
  read,
  model: (seed, size) => new IncrementalModel(new TextSimulation(seed, size)),
};
