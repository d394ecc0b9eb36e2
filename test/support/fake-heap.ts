/**
 * A heap in memory with the face of the native one: what workloads need, without files. The allocator's
 * state is not in the buffer, so that tests can spoil any byte of it and see what a workload says.
 */
import type { HeapReport, NativeHeap } from '../../native/index.js';

const page = 4096;

function roundUp(bytes: number): number {
  return Math.max(16, Math.ceil(bytes / 16) * 16);
}

interface Saved {
  bytes: Uint8Array;
  blocks: Map<number, number>;
  root: number;
  layout: string;
  sequence: number;
}

export class FakeHeap implements NativeHeap {
  #buffer: ArrayBuffer;
  #blocks = new Map<number, number>();
  #saved: Saved;
  root = 0;
  layout: string;
  sequence = 0;
  lastCommitPages = 0;

  constructor(size: number, layout = 'fake/1') {
    this.#buffer = new ArrayBuffer(size);
    this.layout = layout;
    this.#saved = this.#save();
  }

  get buffer(): ArrayBuffer {
    return this.#buffer;
  }

  get size(): number {
    return this.#buffer.byteLength;
  }

  allocate(bytes: number): number {
    const length = roundUp(bytes);
    let at = 2 * page;
    // First fit over the blocks in order of their offsets.
    for (const [offset, taken] of [...this.#blocks].sort((a, b) => a[0] - b[0])) {
      if (offset - at >= length) break;
      at = offset + roundUp(taken);
    }
    if (at + length > this.size) this.#resize(Math.ceil((at + length) / page) * page);
    this.#blocks.set(at, bytes);
    new Uint8Array(this.#buffer, at, length).fill(0);
    return at;
  }

  release(offset: number): void {
    const length = this.#blocks.get(offset);
    if (length === undefined) throw new Error(`${offset} is not an allocated block`);
    // What was released must not be read: spoil it.
    new Uint8Array(this.#buffer, offset, roundUp(length)).fill(0xdd);
    this.#blocks.delete(offset);
  }

  /** Exactly what was asked for, so that tests know which bytes are in use. */
  usableSize(offset: number): number {
    const length = this.#blocks.get(offset);
    if (length === undefined) throw new Error(`${offset} is not an allocated block`);
    return length;
  }

  trim(): void {
    const end = Math.max(2 * page, ...[...this.#blocks].map(([offset, length]) => offset + length));
    this.#resize(Math.ceil(end / page) * page);
  }

  commit(): void {
    this.sequence++;
    const before = this.#saved.bytes;
    const now = new Uint8Array(this.#buffer);
    this.lastCommitPages = 0;
    for (let at = 0; at < now.length; at += page) {
      if (Buffer.compare(now.subarray(at, at + page), before.subarray(at, at + page)) !== 0)
        this.lastCommitPages++;
    }
    this.#saved = this.#save();
  }

  checkpoint(): void {
    // Nothing is deferred.
  }

  verify(reachable?: Float64Array): HeapReport {
    const problems: string[] = [];
    const seen = new Set<number>();
    for (const offset of reachable ?? []) {
      if (seen.has(offset)) problems.push(`the block at ${offset} is reached twice`);
      if (!this.#blocks.has(offset)) problems.push(`the block at ${offset} is reachable but free`);
      seen.add(offset);
    }
    if (reachable !== undefined) {
      for (const offset of this.#blocks.keys()) {
        if (!seen.has(offset)) problems.push(`the block at ${offset} is allocated but cannot be reached`);
      }
    }
    let bytes = 0;
    for (const length of this.#blocks.values()) bytes += length;
    return { problems, allocatedBlocks: this.#blocks.size, allocatedBytes: bytes, freePages: 0 };
  }

  close(): void {
    structuredClone(this.#buffer, { transfer: [this.#buffer] });
  }

  /** The heap as recovery finds it: the last commit, and nothing that came after it. */
  reopen(): FakeHeap {
    const { bytes, blocks, root, layout, sequence } = this.#saved;
    const heap = new FakeHeap(bytes.length, layout);
    new Uint8Array(heap.#buffer).set(bytes);
    heap.#blocks = new Map(blocks);
    heap.root = root;
    heap.sequence = sequence;
    heap.#saved = heap.#save();
    return heap;
  }

  #save(): Saved {
    return {
      bytes: new Uint8Array(this.#buffer).slice(),
      blocks: new Map(this.#blocks),
      root: this.root,
      layout: this.layout,
      sequence: this.sequence,
    };
  }

  /** The old buffer is detached, as it may be in the native heap: whoever keeps a view of it is found out. */
  #resize(size: number): void {
    if (size === this.size) return;
    const next = new ArrayBuffer(size);
    new Uint8Array(next).set(new Uint8Array(this.#buffer).subarray(0, Math.min(size, this.size)));
    structuredClone(this.#buffer, { transfer: [this.#buffer] });
    this.#buffer = next;
  }
}
