import { expect } from 'chai';
import fc from 'fast-check';
import { drawPowerCut } from '../../../harness/faults/power.js';

describe('the moment of a power cut', () => {
  it('follows from the seed, falls in the run, and is bounded', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x7fffffff }), (seed) => {
        const plan = drawPowerCut(seed);
        expect(drawPowerCut(seed)).to.deep.equal(plan);
        expect(plan).to.include({ mode: 'time', phase: 'run' });
        expect(plan.afterCommit).to.be.within(0, 24);
        expect(plan.delayMicros).to.be.within(1, 1_500_000);
      }),
    );
  });

  it('is spread', () => {
    const moments = Array.from({ length: 200 }, (_, seed) => drawPowerCut(seed));
    expect(new Set(moments.map(({ afterCommit }) => afterCommit)).size).to.be.greaterThan(20);
    expect(moments.some(({ delayMicros = 0 }) => delayMicros < 300_000)).to.equal(true);
    expect(moments.some(({ delayMicros = 0 }) => delayMicros > 1_200_000)).to.equal(true);
  });
});
