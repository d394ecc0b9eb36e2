import { expect } from 'chai';
import type os from 'node:os';
import { busyShare, parseCpuList, spread } from '../../../harness/uml/cpus.js';

function cpu(busy: number, idle: number): os.CpuInfo {
  return { model: '', speed: 0, times: { user: busy, nice: 0, sys: 0, irq: 0, idle } };
}

describe('processors for user-mode Linux', () => {
  it('reads a list as the kernel writes it', () => {
    expect(parseCpuList('0-2,5')).to.deep.equal([0, 1, 2, 5]);
    expect(parseCpuList('7')).to.deep.equal([7]);
    expect(parseCpuList('')).to.deep.equal([]);
  });

  it('tells how busy the processors were between two looks', () => {
    expect(busyShare([cpu(10, 10), cpu(0, 0)], [cpu(10, 30), cpu(20, 0)])).to.equal(0.5);
    expect(busyShare([cpu(1, 1)], [cpu(1, 1)])).to.equal(0);
  });

  it('gives each machine its own where nothing else goes on', () => {
    expect(spread(2, [3, 4, 6], 0.1, 7)).to.deep.equal([4, 6]);
  });

  it('pins none beside the work of others, nor where there are too few', () => {
    expect(spread(2, [0, 1], 0.6, 0)).to.deep.equal([null, null]);
    expect(spread(3, [0, 1], 0, 0)).to.deep.equal([null, null, null]);
    expect(spread(1, [], 0, 0)).to.deep.equal([null]);
  });
});
