/**
 * How workloads touch a heap: little-endian 32-bit words at offsets. Offsets are kept in 32 bits, so
 * these workloads want heaps below 4 GiB.
 */
import type { NativeHeap } from '../native/index.js';
import { BrokenStructure } from './workload.js';

/** The first page is the heap's header: no block lies there. */
const firstBlock = 4096;
const blockAlignment = 16;

/** Write access to a heap. `view` is replaced when the heap grows or shrinks: never keep it across a call. */
export class HeapWriter {
  view: DataView;
  readonly heap: NativeHeap;

  constructor(heap: NativeHeap) {
    this.heap = heap;
    this.view = new DataView(heap.buffer);
  }

  /** Zeroed memory of at least `bytes` bytes. */
  allocate(bytes: number): number {
    const offset = this.heap.allocate(bytes);
    if (offset > 0xffff_ffff) throw new Error(`a block at ${offset} does not fit in 32 bits`);
    this.#refresh();
    return offset;
  }

  release(offset: number): void {
    this.heap.release(offset);
    this.#refresh();
  }

  trim(): void {
    this.heap.trim();
    this.#refresh();
  }

  get(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  set(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }

  #refresh(): void {
    const { buffer } = this.heap;
    if (buffer !== this.view.buffer) this.view = new DataView(buffer);
  }
}

/**
 * Read access to a heap that may hold anything. Call `block` for every block before its words are
 * read: it checks that the block lies in the heap, and notes it for the heap's integrity check.
 */
export class HeapReader {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly root: number;
  #reachable = new Float64Array(256);
  #count = 0;

  constructor(heap: NativeHeap) {
    const { buffer } = heap;
    this.view = new DataView(buffer);
    this.bytes = new Uint8Array(buffer);
    this.size = buffer.byteLength;
    this.root = heap.root;
  }

  /** `what` names the block in the message, with `index` where there are many. */
  block(offset: number, bytes: number, what: string, index?: number): void {
    if (offset < firstBlock || offset % blockAlignment !== 0 || offset + bytes > this.size) {
      const name = index === undefined ? what : `${what} ${index}`;
      throw new BrokenStructure(
        offset === 0
          ? `${name} is missing: its offset is 0`
          : `${name}, ${bytes} bytes at ${offset}, does not lie in the heap's ${this.size} bytes or is not aligned`,
      );
    }
    // The heap can hold no more blocks than that: whoever follows links in a circle ends here.
    if (this.#count * blockAlignment > this.size)
      throw new BrokenStructure(`${what}: the links go in a circle`);
    if (this.#count === this.#reachable.length) {
      const larger = new Float64Array(2 * this.#count);
      larger.set(this.#reachable);
      this.#reachable = larger;
    }
    this.#reachable[this.#count++] = offset;
  }

  get(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  /** Offsets given to `block` so far. */
  reachable(): Float64Array {
    return this.#reachable.slice(0, this.#count);
  }
}

/** Throws BrokenStructure with this sentence unless the condition holds. For cold paths: the sentence is always built. */
export function sound(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new BrokenStructure(sentence);
}

/** Assembles the canonical bytes of a state from 32-bit words and runs of bytes. */
export class Canonical {
  #view: DataView;
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  word(value: number): void {
    if (this.#length + 4 > this.#bytes.length) this.#grow(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** Appends `count` bytes of `source`; `count` is padded with zeros to whole words. */
  run(source: Uint8Array, start: number, count: number): void {
    const padded = (count + 3) & ~3;
    if (this.#length + padded > this.#bytes.length) this.#grow(padded);
    const bytes = this.#bytes;
    // Making a subarray costs as much as copying a hundred bytes.
    if (count <= 64) for (let i = 0; i < count; i++) bytes[this.#length + i] = source[start + i] ?? 0;
    else bytes.set(source.subarray(start, start + count), this.#length);
    this.#length += padded;
  }

  /** Appends all of a record that is whole words long. */
  record(source: Uint8Array): void {
    if (this.#length + source.length > this.#bytes.length) this.#grow(source.length);
    this.#bytes.set(source, this.#length);
    this.#length += source.length;
  }

  /** Overwrites a word that was written before. */
  patch(position: number, value: number): void {
    this.#view.setUint32(position, value, true);
  }

  /** The bytes so far. This object is not to be used again. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(by: number): void {
    const larger = new Uint8Array(2 * (this.#bytes.length + by));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
