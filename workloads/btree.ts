/**
 * A persistent B+-tree from 32-bit keys to variable-length values, each a block of its own.
 *
 * Node (256 bytes): 0 kind · 4 keys · 8 next leaf · 16 … keys · 136 … values of a leaf (30), children of an
 * inner node (one more than it has keys, at most 30). A separator is the smallest key that its right child may hold.
 * Value: 0 key · 4 length · 8 … bytes. Every node but the root is at least half full, as in the
 * textbook (Cormen et al., chapter 18, with values in the leaves alone).
 */
import type { HeapWriter } from './heap-words.js';

export const leafKind = 0x6661656c; // "leaf"
export const innerKind = 0x656e6e69; // "inne"
export const nodeBytes = 256;
export const leafCapacity = 30;
export const innerCapacity = 29;
export const leafMinimum = leafCapacity >> 1;
export const innerMinimum = innerCapacity >> 1;
export const keysAt = 16;
export const linksAt = 136;
export const valueHead = 8;

/** Where the tree's own words lie: offset of the root node, and its height (1: a single leaf). */
export interface TreeAnchor {
  rootAt: number;
  heightAt: number;
}

export class BTree {
  readonly #w: HeapWriter;
  readonly #rootAt: number;
  readonly #heightAt: number;

  constructor(writer: HeapWriter, anchor: TreeAnchor) {
    this.#w = writer;
    this.#rootAt = anchor.rootAt;
    this.#heightAt = anchor.heightAt;
  }

  /** Makes the tree empty: a single leaf without keys. */
  create(): void {
    const leaf = this.#makeNode(leafKind);
    this.#w.set(this.#rootAt, leaf);
    this.#w.set(this.#heightAt, 1);
  }

  /** Puts the offset of a value under a key. Returns what lay there before, 0 where nothing did. */
  put(key: number, value: number): number {
    const w = this.#w;
    const root = w.get(this.#rootAt);
    if (this.#isFull(root)) {
      const top = this.#makeNode(innerKind);
      w.set(top + linksAt, root);
      w.set(this.#rootAt, top);
      w.set(this.#heightAt, w.get(this.#heightAt) + 1);
      this.#split(top, 0);
    }
    let node = w.get(this.#rootAt);
    while (w.get(node) === innerKind) {
      let at = this.#childFor(node, key);
      if (this.#isFull(this.#link(node, at))) {
        this.#split(node, at);
        if (key >= this.#key(node, at)) at++;
      }
      node = this.#link(node, at);
    }
    const at = this.#lowerBound(node, key);
    const count = w.get(node + 4);
    if (at < count && this.#key(node, at) === key) {
      const before = this.#link(node, at);
      w.set(node + linksAt + 4 * at, value);
      return before;
    }
    this.#shift(node + keysAt, at, count, 1);
    this.#shift(node + linksAt, at, count, 1);
    w.set(node + keysAt + 4 * at, key);
    w.set(node + linksAt + 4 * at, value);
    w.set(node + 4, count + 1);
    return 0;
  }

  /** Takes a key out. Returns the offset of its value, 0 where it was not there. */
  remove(key: number): number {
    const w = this.#w;
    let node = w.get(this.#rootAt);
    while (w.get(node) === innerKind) {
      let at = this.#childFor(node, key);
      // Any child is brought above the minimum before we go down, so nothing has to be mended on the way up.
      if (this.#isMinimal(this.#link(node, at))) at = this.#fillUp(node, at);
      const child = this.#link(node, at);
      if (w.get(node + 4) === 0) {
        w.set(this.#rootAt, child);
        w.set(this.#heightAt, w.get(this.#heightAt) - 1);
        w.release(node);
      }
      node = child;
    }
    const at = this.#lowerBound(node, key);
    const count = w.get(node + 4);
    if (at === count || this.#key(node, at) !== key) return 0;
    const value = this.#link(node, at);
    this.#shift(node + keysAt, at + 1, count, -1);
    this.#shift(node + linksAt, at + 1, count, -1);
    w.set(node + 4, count - 1);
    return value;
  }

  /** Offset of the value under a key, or 0. */
  find(key: number): number {
    let node = this.#w.get(this.#rootAt);
    while (this.#w.get(node) === innerKind) node = this.#link(node, this.#childFor(node, key));
    const at = this.#lowerBound(node, key);
    return at < this.#w.get(node + 4) && this.#key(node, at) === key ? this.#link(node, at) : 0;
  }

  #makeNode(kind: number): number {
    const node = this.#w.allocate(nodeBytes);
    this.#w.set(node, kind);
    return node;
  }

  #key(node: number, at: number): number {
    return this.#w.get(node + keysAt + 4 * at);
  }

  #link(node: number, at: number): number {
    return this.#w.get(node + linksAt + 4 * at);
  }

  #isFull(node: number): boolean {
    return this.#w.get(node + 4) === (this.#w.get(node) === leafKind ? leafCapacity : innerCapacity);
  }

  #isMinimal(node: number): boolean {
    return this.#w.get(node + 4) <= (this.#w.get(node) === leafKind ? leafMinimum : innerMinimum);
  }

  /** Index of the first key that is not smaller. */
  #lowerBound(node: number, key: number): number {
    let low = 0;
    let high = this.#w.get(node + 4);
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#key(node, middle) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Index of the child of an inner node under which a key belongs. */
  #childFor(node: number, key: number): number {
    const at = this.#lowerBound(node, key);
    return at < this.#w.get(node + 4) && this.#key(node, at) === key ? at + 1 : at;
  }

  /** Moves words [from, to) of an array by one place; the place that falls free at the end is cleared. */
  #shift(array: number, from: number, to: number, by: 1 | -1): void {
    const w = this.#w;
    if (by === 1) {
      for (let i = to; i > from; i--) w.set(array + 4 * i, w.get(array + 4 * (i - 1)));
    } else {
      for (let i = from; i < to; i++) w.set(array + 4 * (i - 1), w.get(array + 4 * i));
      w.set(array + 4 * (to - 1), 0);
    }
  }

  /** Moves words [from, to) of one array to the start of `at` in another, and clears them where they were. */
  #move(source: number, from: number, to: number, target: number, at: number): void {
    for (let i = from; i < to; i++) {
      this.#w.set(target + 4 * (at + i - from), this.#w.get(source + 4 * i));
      this.#w.set(source + 4 * i, 0);
    }
  }

  /** Splits the full child `at` of a node that is not full. */
  #split(parent: number, at: number): void {
    const w = this.#w;
    const left = this.#link(parent, at);
    const kind = w.get(left);
    const right = this.#makeNode(kind);
    const count = w.get(left + 4);
    let separator: number;
    if (kind === leafKind) {
      const stay = count >> 1;
      separator = this.#key(left, stay);
      this.#move(left + keysAt, stay, count, right + keysAt, 0);
      this.#move(left + linksAt, stay, count, right + linksAt, 0);
      w.set(left + 4, stay);
      w.set(right + 4, count - stay);
      w.set(right + 8, w.get(left + 8));
      w.set(left + 8, right);
    } else {
      const stay = count >> 1;
      separator = this.#key(left, stay);
      this.#move(left + keysAt, stay + 1, count, right + keysAt, 0);
      w.set(left + keysAt + 4 * stay, 0);
      this.#move(left + linksAt, stay + 1, count + 1, right + linksAt, 0);
      w.set(left + 4, stay);
      w.set(right + 4, count - stay - 1);
    }
    const keys = w.get(parent + 4);
    this.#shift(parent + keysAt, at, keys, 1);
    this.#shift(parent + linksAt, at + 1, keys + 1, 1);
    w.set(parent + keysAt + 4 * at, separator);
    w.set(parent + linksAt + 4 * (at + 1), right);
    w.set(parent + 4, keys + 1);
  }

  /** Gives the child `at` one more key, from a neighbour or by joining both. Returns its index afterwards. */
  #fillUp(parent: number, at: number): number {
    const keys = this.#w.get(parent + 4);
    if (at > 0 && !this.#isMinimal(this.#link(parent, at - 1))) {
      this.#borrowFromLeft(parent, at);
      return at;
    }
    if (at < keys && !this.#isMinimal(this.#link(parent, at + 1))) {
      this.#borrowFromRight(parent, at);
      return at;
    }
    const left = at > 0 ? at - 1 : at;
    this.#join(parent, left);
    return left;
  }

  #borrowFromLeft(parent: number, at: number): void {
    const w = this.#w;
    const left = this.#link(parent, at - 1);
    const node = this.#link(parent, at);
    const last = w.get(left + 4) - 1;
    const count = w.get(node + 4);
    this.#shift(node + keysAt, 0, count, 1);
    if (w.get(node) === leafKind) {
      this.#shift(node + linksAt, 0, count, 1);
      this.#move(left + keysAt, last, last + 1, node + keysAt, 0);
      this.#move(left + linksAt, last, last + 1, node + linksAt, 0);
      w.set(parent + keysAt + 4 * (at - 1), this.#key(node, 0));
    } else {
      this.#shift(node + linksAt, 0, count + 1, 1);
      w.set(node + keysAt, this.#key(parent, at - 1));
      this.#move(left + keysAt, last, last + 1, parent + keysAt, at - 1);
      this.#move(left + linksAt, last + 1, last + 2, node + linksAt, 0);
    }
    w.set(left + 4, last);
    w.set(node + 4, count + 1);
  }

  #borrowFromRight(parent: number, at: number): void {
    const w = this.#w;
    const node = this.#link(parent, at);
    const right = this.#link(parent, at + 1);
    const count = w.get(node + 4);
    const rest = w.get(right + 4);
    if (w.get(node) === leafKind) {
      w.set(node + keysAt + 4 * count, this.#key(right, 0));
      w.set(node + linksAt + 4 * count, this.#link(right, 0));
      this.#shift(right + keysAt, 1, rest, -1);
      this.#shift(right + linksAt, 1, rest, -1);
      w.set(parent + keysAt + 4 * at, this.#key(right, 0));
    } else {
      w.set(node + keysAt + 4 * count, this.#key(parent, at));
      w.set(node + linksAt + 4 * (count + 1), this.#link(right, 0));
      w.set(parent + keysAt + 4 * at, this.#key(right, 0));
      this.#shift(right + keysAt, 1, rest, -1);
      this.#shift(right + linksAt, 1, rest + 1, -1);
    }
    w.set(node + 4, count + 1);
    w.set(right + 4, rest - 1);
  }

  /** Joins the children `at` and `at + 1`, both at the minimum. */
  #join(parent: number, at: number): void {
    const w = this.#w;
    const left = this.#link(parent, at);
    const right = this.#link(parent, at + 1);
    let count = w.get(left + 4);
    const more = w.get(right + 4);
    if (w.get(left) === leafKind) {
      this.#move(right + linksAt, 0, more, left + linksAt, count);
      w.set(left + 8, w.get(right + 8));
    } else {
      w.set(left + keysAt + 4 * count, this.#key(parent, at));
      count++;
      this.#move(right + linksAt, 0, more + 1, left + linksAt, count);
    }
    this.#move(right + keysAt, 0, more, left + keysAt, count);
    w.set(left + 4, count + more);
    const keys = w.get(parent + 4);
    this.#shift(parent + keysAt, at + 1, keys, -1);
    this.#shift(parent + linksAt, at + 2, keys + 1, -1);
    w.set(parent + 4, keys - 1);
    w.release(right);
  }
}
