import { expect } from 'chai';
import { nextTrial } from '../../../harness/campaign/host-engine.js';

const all = { index: 1, of: 1 };
const none = new Set<number>();

describe('the next trial on a machine', () => {
  it('is of each open target in turn', () => {
    expect(nextTrial([true, true], all, none, 0)).to.equal(0);
    expect(nextTrial([true, true], all, none, 1)).to.equal(1);
    expect(nextTrial([true, false], all, none, 1)).to.equal(2);
  });

  it("is this shard's, and not done yet", () => {
    expect(nextTrial([true, true, true], { index: 2, of: 2 }, none, 0)).to.equal(1);
    expect(nextTrial([true], all, new Set([0, 1, 2]), 0)).to.equal(3);
    const done = new Set(Array.from({ length: 100 }, (_, index) => index));
    expect(nextTrial([false, true], { index: 2, of: 2 }, done, 0)).to.equal(101);
  });

  it('is none where no target is open, or none that this shard ever sees', () => {
    expect(nextTrial([false, false], all, none, 0)).to.equal(Infinity);
    expect(nextTrial([], all, none, 0)).to.equal(Infinity);
    // Of two targets and two shards each sees one.
    expect(nextTrial([true, false], { index: 2, of: 2 }, none, 0)).to.equal(Infinity);
  });
});
