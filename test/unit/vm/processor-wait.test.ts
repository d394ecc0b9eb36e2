import { expect } from 'chai';
import { waitedMillis, watchProcessor } from '../../../harness/vm/processor-wait.js';

describe('the wait for a processor', () => {
  /** @param waits what the kernel says, one answer after the other */
  function watched(waits: (number | null)[], elapsed: number): ReturnType<ReturnType<typeof watchProcessor>> {
    let now = 1000;
    const told = watchProcessor(
      1,
      () => waits.shift() ?? null,
      () => now,
    );
    now += elapsed;
    return told();
  }

  it('is a reason for being late where it took most of the time', () => {
    expect(watched([500, 900], 500)).to.deep.equal({ starved: true, share: 0.8 });
    expect(watched([500, 600], 500)).to.deep.equal({ starved: false, share: 0.2 });
  });

  it('is none where the kernel does not tell', () => {
    expect(watched([null, 900], 500).starved).to.equal(false);
    expect(watched([500, null], 500).starved).to.equal(false);
    expect(waitedMillis(2 ** 30)).to.equal(null);
  });

  it('is read for a process of this machine, where its kernel keeps count', () => {
    const waited = waitedMillis(process.pid);
    if (waited !== null) expect(waited).to.be.at.least(0);
  });
});
