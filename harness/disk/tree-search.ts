/** Visits every subset of whole pending writes of every epoch, as far as they can be told apart (see lazy-tree.ts). */
import { inParallel } from '../core/parallel.js';
import { choicesText, whole, type Choices } from './enumerate.js';
import { LazyTree, type TreeNode } from './lazy-tree.js';
import type { Look, StateSource } from './state-source.js';
import { ackedRange } from './verdict.js';
import type { Visitor } from './visitor.js';

/** States of one epoch's tree that are looked at together. */
const nodesAtOnce = 16;
/** Nodes that a tree may visit in the first round; in each further one, so many times more. */
const firstShare = 32;
const shareGrowth = 8;
/** Where it was not seen what was read, a node with more undecided writes than this is not divided further. */
const maxBlind = 12;

export class TreeSearch {
  constructor(private readonly visitor: Visitor) {}

  /** In rounds, so that a large epoch does not starve the others. True if every subset was visited. */
  async run(): Promise<boolean> {
    const { epochs, sources } = this.visitor.options;
    const all = epochs.map((epoch) => new LazyTree(epoch));
    let open = all;
    for (let share = firstShare; open.length > 0 && !this.visitor.over(); share *= shareGrowth) {
      const [trees, most] = [open, share];
      await inParallel(sources, (source, _, failed) => this.climb(source, trees, most, failed));
      open = open.filter((tree) => !tree.done);
    }
    return all.every((tree) => tree.complete);
  }

  private async climb(
    source: StateSource,
    trees: readonly LazyTree[],
    share: number,
    failed: () => boolean,
  ): Promise<void> {
    for (;;) {
      if (failed() || this.visitor.over()) return;
      const tree = trees.find((one) => one.visited < share && one.ready);
      if (tree !== undefined) {
        await this.nodes(source, tree);
        continue;
      }
      const busy = trees.filter((one) => one.visited < share && one.waiting);
      if (busy.length === 0) return;
      await Promise.race(busy.map((one) => one.changed()));
    }
  }

  /** Visits some nodes of a tree: all whose outcome is known already, and one that must be shown. */
  private async nodes(source: StateSource, tree: LazyTree): Promise<void> {
    const { epoch } = tree;
    const nodes = tree.take(nodesAtOnce);
    let shown = false;
    try {
      const looks = await this.visitor.look(source, epoch, nodes.map(choicesOf));
      while (nodes.length > 0) {
        const [node] = nodes;
        const seen = looks.shift();
        if (node === undefined || seen === undefined) break;
        const known = this.visitor.knows(seen, ackedRange(epoch, choicesOf(node)));
        // What was shown meanwhile may tell the outcome of the others.
        if (!known && shown) break;
        shown ||= !known;
        if (!(await this.node(source, tree, node, seen))) break;
        nodes.shift();
      }
    } finally {
      for (const node of nodes.reverse()) tree.giveBack(node);
    }
  }

  private async node(source: StateSource, tree: LazyTree, node: TreeNode, seen: Look): Promise<boolean> {
    const { epoch } = tree;
    const choices = choicesOf(node);
    const text = choicesText(choices);
    let outcome = await this.visitor.visit(source, epoch, choices, seen);
    if (outcome === null) return false;
    let matters = outcome.reads === null ? null : await source.reads?.open(epoch.number, outcome.reads, text);
    if (matters == null) {
      // What it read was forgotten, or not all of it was seen: once more.
      if (this.visitor.over()) return false;
      outcome = await this.visitor.show(source, epoch, choices, ackedRange(epoch, choices));
      matters = outcome.reads === null ? null : await source.reads?.open(epoch.number, outcome.reads, text);
    }
    if (matters == null && epoch.pending.length - node.present.length > maxBlind) {
      tree.giveUp();
      return true;
    }
    const leaf = tree.expand(node, matters ?? null);
    this.visitor.options.onLeaf?.(epoch, leaf, outcome);
    return true;
  }
}

function choicesOf({ present }: TreeNode): Choices {
  return whole(present);
}
