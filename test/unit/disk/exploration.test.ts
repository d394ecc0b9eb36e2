import { expect } from 'chai';
import fc from 'fast-check';
import {
  explore,
  type ExplorationOptions,
  type Explored,
  type Violation,
} from '../../../harness/disk/exploration.js';
import type { Leaf } from '../../../harness/disk/lazy-tree.js';
import type { Outcome } from '../../../harness/disk/known-states.js';
import { recoveriesFor } from '../../../harness/disk/show-again.js';
import { unmountable, type CheckOptions, type StateSource } from '../../../harness/disk/state-source.js';
import type { SubjectCheck } from '../../../harness/subjects/subject.js';
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

  describe('of which something goes wrong', () => {
    const options = (source: StateSource): ExplorationOptions => ({
      ...{ epochs: [epochOf(5)], sources: [source], seed: 1, unit: 4096, checkKnowsAcked: false },
      ...{ states: null, deadline: Infinity, exhaustive: true, stopping: () => false },
      onViolation: () => Promise.resolve(),
    });

    /** Says something else of a state when it is shown for the n-th time. */
    function changing(how: (check: SubjectCheck, nth: number, options: CheckOptions) => SubjectCheck[]): {
      source: StateSource;
      shown: Map<string, number>;
    } {
      const { reads, ...inner } = adaptiveSource(5, () => 0);
      expect(reads).to.not.equal(undefined);
      const shown = new Map<string, number>();
      const check: StateSource['check'] = async (state, acked, _times, more = {}) => {
        const nth = (shown.get(state.choices) ?? 0) + 1;
        shown.set(state.choices, nth);
        const [first] = await inner.check(state, acked);
        return how(first!, nth, more);
      };
      return { source: { ...inner, check }, shown };
    }
    const late: Partial<SubjectCheck> = { outcome: 'failed', state: null, reason: 'too slow' };

    it('a violation that does not come back is no violation', async () => {
      const { source, shown } = changing((check, nth) => [nth === 1 ? { ...check, ...late } : check]);
      const doubts: string[] = [];
      let violations = 0;
      const explored = await explore({
        ...options(source),
        onDoubt: ({ judgement }) => void doubts.push(judgement.reason ?? ''),
        onViolation: () => {
          violations++;
          return Promise.resolve();
        },
      });
      expect(explored.counts).to.deep.equal({ 'not-measured': 32 });
      expect(violations).to.equal(0);
      expect(doubts).to.have.length(32).and.include('too slow');
      expect(new Set(shown.values())).to.deep.equal(new Set([4]));
    });

    it('a violation that comes back as another is that other', async () => {
      const { source } = changing((check, nth) => [
        nth === 1 ? { ...check, ...late } : { ...check, outcome: 'inconsistent', violation: 'torn' },
      ]);
      const { counts } = await explore(options(source));
      expect(counts).to.deep.equal({ torn: 32 });
    });

    it('a second recovery that changes files is looked for, and found', async () => {
      const { source } = changing((check, _, { sameBytes = false }) =>
        sameBytes ? [check, { ...check, difference: 'heap.db differs' }] : [check],
      );
      expect((await explore(options(source))).counts).to.deep.equal({ held: 32 });
      const found: Violation[] = [];
      const { counts } = await explore({
        ...options(source),
        sameBytes: true,
        onViolation: (one) => Promise.resolve(void found.push(one)),
      });
      expect(counts).to.deep.equal({ held: 31, broken: 1 });
      expect(found[0]?.judgement.reason).to.include('not idempotent: heap.db differs');
      // Nothing less shows it again.
      const [{ acked, checks }] = found as [Violation];
      expect(recoveriesFor(acked, checks, 'durable')).to.deep.equal({ times: 2, sameBytes: true });
    });

    it('what was found before a failure of ours stays found', async () => {
      const { source } = changing((check) => [{ ...check, outcome: 'inconsistent' }]);
      let shown = 0;
      const failing: StateSource = {
        ...source,
        check: (...args) => {
          if (++shown > 12) throw new Error('plugpull-disk explore ended (SIGKILL)');
          return source.check(...args);
        },
      };
      const explored = await explore(options(failing));
      expect(explored.failure?.message).to.include('SIGKILL');
      expect(explored).to.deep.include({ exhaustive: false, counts: { broken: 6 } });
    });

    it('a file system that only repair makes mountable is held by what the data then are', async () => {
      const refusal = `${unmountable}: bad superblock`;
      for (const [state, verdict] of [
        [0, 'held'],
        [-1, 'unrecoverable'],
      ] as const) {
        const { source } = changing((check) => [{ ...check, ...late, reason: refusal }]);
        const repair: StateSource['repair'] = (_state, _acked, why) =>
          Promise.resolve({
            log: 'fixed',
            check: {
              ...{ outcome: 'consistent', state, reason: '', log: '', millis: 0 },
              ...{ end: { exit: 0, signal: null, stopped: null }, repaired: { refusal: why, by: 'fsck' } },
            },
          });
        const found: Violation[] = [];
        const explored = await explore({
          ...options({ ...source, repair }),
          onViolation: (one) => Promise.resolve(void found.push(one)),
        });
        expect(explored.counts).to.deep.equal({ [verdict]: 32 });
        expect(explored.repaired ?? 0).to.equal(verdict === 'held' ? 32 : 0);
        if (verdict === 'held') continue;
        expect(found[0]?.repair).to.equal('fixed');
        expect(found[0]?.judgement.reason).to.match(
          /^the file.*bad superblock; after fsck .* lost: commit 0/,
        );
      }
    });
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
