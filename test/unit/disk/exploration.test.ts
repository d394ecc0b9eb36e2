import { expect } from 'chai';
import fc from 'fast-check';
import { explore, type Explored } from '../../../harness/disk/exploration.js';
import type { Leaf } from '../../../harness/disk/lazy-tree.js';
import type { Outcome } from '../../../harness/disk/known-states.js';
import {
  adaptiveSource,
  epochOf,
  type AdaptiveSource,
  type Recovery,
} from '../../support/adaptive-source.js';

interface Run {
  explored: Explored;
  leaves: { leaf: Leaf; outcome: Outcome }[];
  violations: number;
}

async function run(
  writes: number,
  sources: AdaptiveSource[],
  more: { states?: number; exhaustive?: boolean } = {},
): Promise<Run> {
  const leaves: Run['leaves'] = [];
  let violations = 0;
  const explored = await explore({
    epochs: [epochOf(writes)],
    sources,
    seed: 1,
    unit: 4096,
    checkKnowsAcked: false,
    states: more.states ?? null,
    deadline: Infinity,
    exhaustive: more.exhaustive ?? true,
    stopping: () => false,
    onViolation: () => {
      violations++;
      return Promise.resolve();
    },
    onLeaf: (_, leaf, outcome) => leaves.push({ leaf, outcome }),
  });
  return { explored, leaves, violations };
}

/** Looks at writes in an order that depends on what it saw: a table drawn at random. */
function recoveryFrom(writes: number, table: readonly number[]): Recovery {
  return (kept) => {
    let at = 0;
    for (let step = 0; step < 4; step++) {
      const index = (table[at % table.length] ?? 0) % writes;
      at = 2 * at + (kept(index) ? 2 : 1);
    }
    return at % 5 === 0 ? null : at % 2;
  };
}

/** Subsets whose outcome is another than that of the leaf they belong to; those without exactly one leaf, too. */
function wrong(writes: number, recovery: Recovery, leaves: Run['leaves']): number {
  let count = 0;
  for (let set = 0; set < 2 ** writes; set++) {
    const kept = (index: number): boolean => ((set >> index) & 1) === 1;
    const own = leaves.filter(
      ({ leaf }) => leaf.present.every(kept) && ![...leaf.absent].some((index) => kept(index)),
    );
    const state = recovery(kept);
    if (own.length !== 1 || own[0]?.outcome.checks[0]?.state !== state) count++;
  }
  return count;
}

describe('exploring the crash states of a disk', () => {
  it('covers every subset exactly once, and gives each the outcome that it has', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7 }),
        fc.array(fc.nat(50), { minLength: 1, maxLength: 31 }),
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        async (writes, table, workers, forgetful) => {
          const recovery = recoveryFrom(writes, table);
          const most = forgetful ? 2 : Infinity;
          const sources = Array.from({ length: workers }, () => adaptiveSource(writes, recovery, { most }));
          const { explored, leaves } = await run(writes, sources);
          expect(explored.exhaustive).to.equal(true);
          expect(explored.spared?.contradicted).to.equal(0);
          expect(leaves.reduce((sum, { leaf }) => sum + leaf.covers, 0n)).to.equal(2n ** BigInt(writes));
          expect(wrong(writes, recovery, leaves)).to.equal(0);
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });

  it('explores hundreds of pending writes completely where recovery looks at few of them', async () => {
    const source = adaptiveSource(300, (kept) => (kept(17) ? (kept(170) ? 1 : null) : 0));
    const { explored, leaves, violations } = await run(300, [source]);
    expect(explored.exhaustive).to.equal(true);
    expect(leaves).to.have.length(3);
    // Those that are looked at again only to see whether it is right.
    expect(source.shown()).to.be.lessThan(10 + (explored.spared?.audited ?? 0));
    expect(violations).to.be.greaterThan(0);
    expect(explored.of).to.equal(null);
  });

  it('a write that recovery looked at, but of which it is not told, makes the outcomes wrong: the audit sees it', async () => {
    const recovery: Recovery = (kept) => (kept(1) && !kept(4) ? null : 0);
    const { leaves, explored } = await run(6, [adaptiveSource(6, recovery, { hole: 4 })]);
    expect(wrong(6, recovery, leaves)).to.be.greaterThan(0);
    expect(explored.exhaustive).to.equal(true); // it trusts what it is told …
    // … until it looks again at one of many.
    const more: Recovery = (kept) => (kept(11) ? null : 0);
    const doubted = await run(12, [adaptiveSource(12, more, { hole: 11 })], { exhaustive: false });
    expect(doubted.explored.spared?.contradicted).to.be.greaterThan(0);
    expect(doubted.explored.exhaustive).to.equal(false);
  });

  it('decides every write where it is not known what was read, if there are few', async () => {
    const recovery: Recovery = (kept) => (kept(0) ? 1 : 0);
    const few = await run(4, [adaptiveSource(4, recovery, { blind: true })]);
    expect(few.explored.exhaustive).to.equal(true);
    expect(few.leaves).to.have.length(16);
    const many = await run(40, [adaptiveSource(40, recovery, { blind: true })], { states: 500 });
    expect(many.explored.exhaustive).to.equal(false);
  });

  it('enumerates every subset where reads are not seen at all', async () => {
    const { reads, ...source } = adaptiveSource(5, (kept) => (kept(2) ? 1 : 0));
    expect(reads).to.not.equal(undefined);
    const { explored } = await run(5, [source]);
    expect(explored).to.include({ exhaustive: true, states: 32, checked: 32 });
    expect(explored.spared).to.equal(undefined);
  });

  it('enumerates late epochs even where hundreds before them brought nothing new', async () => {
    const late = 400;
    // Two writes each: singles have shown all subsets of them before.
    const epochs = [...Array.from({ length: late }, (_, number) => epochOf(2, number)), epochOf(8, late)];
    const { reads, ...source } = adaptiveSource(8, (kept) => (kept(2) && !kept(3) && kept(6) ? null : 0));
    expect(reads).to.not.equal(undefined);
    let violations = 0;
    const explored = await explore({
      ...{ epochs, sources: [source], seed: 1, unit: 4096, checkKnowsAcked: false },
      ...{ states: null, deadline: Infinity, exhaustive: true, stopping: () => false },
      onViolation: () => {
        violations++;
        return Promise.resolve();
      },
    });
    expect(explored).to.include({ exhaustive: true, states: late * 4 + 2 ** 8 });
    expect(violations).to.equal(2 ** 5);
  });

  it('keeps to its budget, and leaves a part of it to chance', async () => {
    const all: Recovery = (kept) => Array.from({ length: 24 }, (_, i) => kept(i)).filter(Boolean).length % 2;
    const { explored, leaves } = await run(24, [adaptiveSource(24, all)], {
      states: 200,
      exhaustive: false,
    });
    expect(explored.states).to.be.within(200, 220);
    expect(leaves.length).to.be.within(50, 190);
    expect(explored.exhaustive).to.equal(false);
  });
});
