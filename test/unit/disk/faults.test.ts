import { expect } from 'chai';
import {
  controlLines,
  describeFaults,
  diskFaultNames,
  drawFaults,
  firstFault,
  givesErrors,
  mustBeCaught,
  suffixOf,
  tornBytesOf,
} from '../../../harness/disk/faults.js';

const target = { commits: 20, canPause: true };

describe('faults of the disk', () => {
  it('are the same for the same seed and run, and others for others', () => {
    for (const name of diskFaultNames.filter(givesErrors)) {
      const drawn = Array.from({ length: 12 }, (_, run) => drawFaults(name, 7, run, target));
      expect(drawn).to.deep.equal(Array.from({ length: 12 }, (_, run) => drawFaults(name, 7, run, target)));
      expect(new Set(drawn.map(describeFaults)).size, name).to.be.greaterThan(6);
      for (const faults of drawn) expect(firstFault(faults)).to.be.greaterThanOrEqual(0);
    }
  });

  it('of a program that cannot pause begin with its run', () => {
    for (let run = 0; run < 12; run++) {
      const { remountAfter } = drawFaults('eio-read', 7, run, { commits: 20, canPause: false });
      expect(remountAfter).to.equal(0);
    }
  });

  it('are switched on by the ack that they are counted from, or by our mark once we have mounted', () => {
    const error = { requests: 'writes', afterCommit: 4, after: 2, count: 3 } as const;
    expect(controlLines({ errors: [error] })).to.deep.equal(['on-mark ack_4 eio-writes-after 2 3']);
    expect(controlLines({ errors: [{ ...error, count: null }], remountAfter: 4 })).to.deep.equal([
      'on-mark mounted eio-writes-after 2',
    ]);
    expect(controlLines({ lyingFlush: true, delayMicros: 5 })).to.deep.equal([
      'lying-flush 1',
      'delay-micros 5',
    ]);
    const full = { afterCommit: 1, leaveBytes: 4096 } as const;
    expect(controlLines({ full: { ...full, where: 'device' } })).to.deep.equal([
      'on-mark ack_1 full-after 4096',
    ]);
    expect(controlLines({ full: { ...full, where: 'file-system' } })).to.deep.equal([]);
  });

  it('say what is to be expected of them', () => {
    expect(diskFaultNames.filter(mustBeCaught)).to.deep.equal(['lying-flush']);
    expect([tornBytesOf('torn-512'), tornBytesOf('none')]).to.deep.equal([512, 4096]);
    expect([suffixOf('none'), suffixOf('slow')]).to.deep.equal(['', '+disk:slow']);
  });
});
