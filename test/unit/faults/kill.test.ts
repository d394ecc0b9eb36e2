import { expect } from 'chai';
import { drawKill, firstOccurrences, sweepPlans } from '../../../harness/faults/kill.js';

describe('fault kill', () => {
  it('draws the same crash from the same seed', () => {
    const options = { slowness: 1, creation: true };
    for (let seed = 0; seed < 50; seed++)
      expect(drawKill(seed, options)).to.deep.equal(drawKill(seed, options));
  });

  it('draws crashes in the creation, in commits and again in recovery', () => {
    const plans = Array.from({ length: 500 }, (_, seed) => drawKill(seed, { slowness: 1, creation: true }));
    expect(plans.some(({ phase }) => phase === 'create')).to.equal(true);
    expect(plans.some(({ then }) => then?.phase === 'recover')).to.equal(true);
    expect(plans.every(({ delayMicros }) => delayMicros !== undefined && delayMicros > 0)).to.equal(true);
    const without = Array.from({ length: 500 }, (_, seed) =>
      drawKill(seed, { slowness: 1, creation: false }),
    );
    expect(without.every(({ phase }) => phase === 'run')).to.equal(true);
  });

  it('sweeps every step of creation and commits, and every step of the recoveries', () => {
    const plans = sweepPlans({
      create: ['c1', 'c2'],
      run: ['a', 'b', 'a', 'b'],
      recover: [
        { at: 1, steps: ['r1', 'r2'] },
        { at: 2, steps: ['r1'] },
      ],
    });
    const short = plans.map(
      (p) => `${p.phase}${p.step ?? ''}${p.then === undefined ? '' : `+${p.then.step ?? ''}`}`,
    );
    expect(short).to.deep.equal([
      'create1',
      'create2',
      'run1',
      'run2',
      'run3',
      'run4',
      'run1+1',
      'run1+2',
      'run2+1',
    ]);
  });

  it('sweeps recoveries after the first occurrence of each step', () => {
    expect(firstOccurrences(['a', 'b', 'a', 'c', 'b'])).to.deep.equal([1, 2, 4]);
  });
});
