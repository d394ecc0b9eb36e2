/**
 * All subsets of an epoch's pending writes as a tree that grows only where it matters. A node is a state in which the
 * fate of some writes is decided and all others are absent. Once it was shown, those others that would have changed what
 * was read are decided, too: here they are absent, and each of them begins a branch in which it is the first that is
 * present. What stays undecided may be on the medium or not, in any combination: nobody looked. So the nodes, each with
 * its undecided writes, cover every subset exactly once.
 */
import type { Epoch } from './trace-index.js';

/** Writes that were decided to be lost, by the way to a node: siblings share what they have in common. */
interface Lost {
  before: Lost | null;
  among: readonly number[];
  /** So many of them, from the start. */
  count: number;
}

export interface TreeNode {
  /** Indices of pending writes that are on the medium, ascending. */
  present: readonly number[];
  lost: Lost | null;
}

/** A node and what was found out at it. */
export interface Leaf {
  present: readonly number[];
  /** Decided to be lost. All other writes may be on the medium or not. */
  absent: ReadonlySet<number>;
  /** Subsets of whole writes that it stands for. */
  covers: bigint;
}

export class LazyTree {
  /** Nodes that were visited. */
  visited = 0;
  /** Subsets of whole writes that the visited nodes stand for. */
  covered = 0n;
  private readonly stack: TreeNode[] = [{ present: [], lost: null }];
  private running = 0;
  private gaveUp = false;
  private readonly listeners: (() => void)[] = [];

  constructor(readonly epoch: Epoch) {}

  /** Nothing is left to visit, and nothing is under way. */
  get done(): boolean {
    return this.stack.length === 0 && this.running === 0;
  }

  /** Done, and every subset was covered. */
  get complete(): boolean {
    return this.done && !this.gaveUp;
  }

  get ready(): boolean {
    return this.stack.length > 0;
  }

  /** What is under way may still bring nodes. */
  get waiting(): boolean {
    return this.stack.length === 0 && this.running > 0;
  }

  /** Resolves when a node that was under way has ended. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.listeners.push(resolve));
  }

  /** Each node taken must be given to `expand` or `giveBack`, or given up. Deepest first, so that memory stays small. */
  take(most: number): TreeNode[] {
    const taken = this.stack.splice(Math.max(0, this.stack.length - most)).reverse();
    this.running += taken.length;
    return taken;
  }

  giveBack(node: TreeNode): void {
    this.stack.push(node);
    this.ended();
  }

  /** A node that was taken, and all below it, will not be visited. */
  giveUp(): void {
    this.gaveUp = true;
    this.ended();
  }

  /** @param matters writes that would have changed what was read at this node; null: nobody knows, any may */
  expand(node: TreeNode, matters: readonly number[] | null): Leaf {
    this.visited++;
    const present = new Set(node.present);
    const absent = new Set<number>();
    for (let lost = node.lost; lost !== null; lost = lost.before) {
      for (let i = 0; i < lost.count; i++) absent.add(lost.among[i] ?? 0);
    }
    const among = [...(matters ?? this.epoch.pending.keys())].filter(
      (index) => !present.has(index) && !absent.has(index),
    );
    const children = among.map((index, count) => ({
      present: [...node.present, index].sort((a, b) => a - b),
      lost: { before: node.lost, among, count },
    }));
    for (const index of among) absent.add(index);
    this.stack.push(...children.reverse());
    const covers = 2n ** BigInt(this.epoch.pending.length - present.size - absent.size);
    this.covered += covers;
    this.ended();
    return { present: node.present, absent, covers };
  }

  private ended(): void {
    this.running--;
    for (const listener of this.listeners.splice(0)) listener();
  }
}
