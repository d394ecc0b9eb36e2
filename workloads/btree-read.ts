/** Reads a B+-tree out of a heap that may hold anything, and checks all that such a tree promises. */
import {
  innerCapacity,
  innerKind,
  innerMinimum,
  keysAt,
  leafCapacity,
  leafKind,
  leafMinimum,
  linksAt,
  nodeBytes,
  valueHead,
} from './btree.js';
import type { Canonical, HeapReader } from './heap-words.js';
import { BrokenStructure } from './workload.js';

const maxHeight = 12;

export interface TreeLimits {
  /** Keys are below this. */
  keySpace: number;
  /** Longest value, in bytes. */
  maxLength: number;
}

class TreeReader {
  /** Keys read so far. */
  count = 0;
  #lastKey = -1;
  /** The leaf that the leaf read last says comes next. */
  #nextLeaf = -1;

  constructor(
    readonly reader: HeapReader,
    readonly limits: TreeLimits,
    readonly out: Canonical,
  ) {}

  /** Reads what is under a node `levels` above nothing (1: a leaf). Keys lie in [low, high). */
  node(node: number, levels: number, low: number, high: number, isRoot: boolean): void {
    const { reader } = this;
    reader.block(node, nodeBytes, levels === 1 ? 'a leaf' : 'an inner node');
    const count = reader.get(node + 4);
    if (levels === 1) {
      if (reader.get(node) !== leafKind)
        throw new BrokenStructure(`the block at ${node} is not a leaf of the tree`);
      this.#checkCount(node, count, isRoot ? 0 : leafMinimum, leafCapacity);
      this.#checkUnused(node, count, count);
      this.#leaf(node, count, low, high);
      return;
    }
    if (reader.get(node) !== innerKind) {
      throw new BrokenStructure(`the block at ${node} is not an inner node of the tree`);
    }
    this.#checkCount(node, count, isRoot ? 1 : innerMinimum, innerCapacity);
    this.#checkUnused(node, count, count + 1);
    let from = low;
    for (let i = 0; i <= count; i++) {
      const to = i === count ? high : reader.get(node + keysAt + 4 * i);
      if (to <= from || to > high) {
        throw new BrokenStructure(
          `separator ${to} of the node at ${node} does not lie between ${from} and ${high}`,
        );
      }
      this.node(reader.get(node + linksAt + 4 * i), levels - 1, from, to, false);
      from = to;
    }
  }

  /** To be called after the last leaf. */
  end(): void {
    if (this.#nextLeaf !== 0)
      throw new BrokenStructure(`the last leaf names one that follows, at ${this.#nextLeaf}`);
  }

  #checkCount(node: number, count: number, minimum: number, maximum: number): void {
    if (count < minimum || count > maximum) {
      throw new BrokenStructure(`the node at ${node} has ${count} keys; ${minimum} to ${maximum} are right`);
    }
  }

  /** What holds no key or link must be 0: else part of the node is older or newer than the rest. */
  #checkUnused(node: number, keys: number, links: number): void {
    const { reader } = this;
    for (let at = node + keysAt + 4 * keys; at < node + nodeBytes; at += 4) {
      if (at === node + linksAt) at += 4 * links;
      if (at < node + nodeBytes && reader.get(at) !== 0) {
        throw new BrokenStructure(`word ${(at - node) / 4} of the node at ${node} is not in use, but not 0`);
      }
    }
  }

  #leaf(leaf: number, count: number, low: number, high: number): void {
    const { reader, out } = this;
    if (this.#nextLeaf >= 0 && this.#nextLeaf !== leaf) {
      throw new BrokenStructure(`the leaf before the one at ${leaf} says that ${this.#nextLeaf} comes next`);
    }
    this.#nextLeaf = reader.get(leaf + 8);
    for (let i = 0; i < count; i++) {
      const key = reader.get(leaf + keysAt + 4 * i);
      if (key <= this.#lastKey || key < low || key >= high) {
        throw new BrokenStructure(`key ${key} in the leaf at ${leaf} is out of order`);
      }
      this.#lastKey = key;
      const value = reader.get(leaf + linksAt + 4 * i);
      reader.block(value, valueHead, 'the value of key', key);
      const length = reader.get(value + 4);
      if (reader.get(value) !== key) {
        throw new BrokenStructure(`the value of key ${key} carries the key ${reader.get(value)}`);
      }
      if (length > this.limits.maxLength || value + valueHead + length > reader.size) {
        throw new BrokenStructure(`the value of key ${key} says it has ${length} bytes`);
      }
      out.word(key);
      out.word(length);
      out.run(reader.bytes, value + valueHead, length);
    }
    this.count += count;
  }
}

/** Appends key, length and bytes of each value to `out`, in order. Returns the number of keys. */
export function readTree(
  reader: HeapReader,
  root: number,
  height: number,
  limits: TreeLimits,
  out: Canonical,
): number {
  if (height < 1 || height > maxHeight)
    throw new BrokenStructure(`the tree says that it is ${height} nodes high`);
  const tree = new TreeReader(reader, limits, out);
  tree.node(root, height, 0, limits.keySpace, true);
  tree.end();
  return tree.count;
}
