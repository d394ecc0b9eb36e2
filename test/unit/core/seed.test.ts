import { expect } from 'chai';
import { deriveSeed, freshSeed, random, trialSeed } from '../../../harness/core/seed.js';

describe('seeds', () => {
  it('give the same trial the same seed, whatever came before', () => {
    expect(trialSeed(7, 12)).to.equal(trialSeed(7, 12));
    const seeds = new Set(Array.from({ length: 10_000 }, (_, i) => trialSeed(7, i)));
    expect(seeds.size).to.be.greaterThan(9_990);
  });

  it('are 31-bit, also for odd parts', () => {
    for (const value of [deriveSeed(0), deriveSeed(0x7fffffff, 'a', 1), freshSeed()]) {
      expect(value).to.be.within(0, 0x7fffffff);
    }
    expect(deriveSeed(1, 'a', 'b')).not.to.equal(deriveSeed(1, 'ab'));
  });

  it('draw within bounds, both included', () => {
    const draw = random(3);
    const drawn = new Set(Array.from({ length: 200 }, () => draw.int(2, 4)));
    expect([...drawn].sort()).to.deep.equal([2, 3, 4]);
  });
});
