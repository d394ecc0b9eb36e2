import { expect } from 'chai';
import type { BackendTarget, CommandTarget } from '../../../harness/core/target.js';
import { drawCut, labelOf, orderJobs, whyNotThere } from '../../../harness/poweroff/order.js';

function backend(id: string, more: Partial<BackendTarget> = {}): BackendTarget {
  const [name = '', workload = ''] = id.split('/');
  const common = { expect: 'hold', needsReflink: false, steps: [] } as const;
  return { kind: 'backend', id, backend: name, workload, ...common, steps: [], ...more };
}

const program: CommandTarget = {
  kind: 'command',
  id: 'store',
  setup: 's',
  run: 'r',
  check: 'c',
  with: [],
  ignore: [],
  expect: 'hold',
  recoverTwice: 'state',
  limits: { timeMs: 1000, memoryBytes: 1 },
};

describe('the order of power-offs', () => {
  it('has targets and controls in turn, on every kernel and file system before the next pair', () => {
    const targets = [backend('redo/bank'), backend('copy/bank'), backend('plain/bank', { expect: 'caught' })];
    const jobs = orderJobs(targets, ['6.1', '6.12'], ['ext4', 'xfs']);
    expect(jobs.map(({ target, kernel, fs }) => `${target.id} ${kernel} ${fs}`)).to.deep.equal([
      'redo/bank 6.1 ext4',
      'plain/bank 6.1 ext4',
      'redo/bank 6.1 xfs',
      'plain/bank 6.1 xfs',
      'redo/bank 6.12 ext4',
      'plain/bank 6.12 ext4',
      'redo/bank 6.12 xfs',
      'plain/bank 6.12 xfs',
      'copy/bank 6.1 ext4',
      'copy/bank 6.1 xfs',
      'copy/bank 6.12 ext4',
      'copy/bank 6.12 xfs',
    ]);
  });

  it('names the place of a job by file system, kernel and mode', () => {
    const job = { target: program, fs: 'ext4:data=writeback', kernel: '6.1' };
    expect(labelOf(job, 'volatile')).to.equal('ext4:data=writeback on 6.1, volatile');
  });

  it('leaves out what a guest cannot do, by name', () => {
    const snap = backend('snap/bank', { needsReflink: true });
    expect(whyNotThere({ target: snap, fs: 'ext4', kernel: '6.1' })?.reason).to.match(/cannot clone/);
    expect(whyNotThere({ target: snap, fs: 'f2fs', kernel: '6.1' })?.reason).to.match(/cannot clone/);
    expect(whyNotThere({ target: snap, fs: 'xfs::-m crc=1', kernel: '6.1' })).to.equal(null);
    const own = backend('redo/mine', { workloadModule: '/home/me/mine.ts' });
    expect(whyNotThere({ target: own, fs: 'xfs', kernel: '6.1' })?.reason).to.match(/not in the guest/);
    expect(whyNotThere({ target: program, fs: 'ext4', kernel: '6.1' })).to.equal(null);
  });
});

describe('a cut that is drawn', () => {
  const draws = Array.from({ length: 400 }, (_, seed) => drawCut(seed, backend('redo/bank'), 500));

  it('follows from the seed', () => {
    expect(draws).to.deep.equal(
      Array.from({ length: 400 }, (_, seed) => drawCut(seed, backend('redo/bank'), 500)),
    );
  });

  it('falls at steps, in the creation and in the run, and within its time', () => {
    const steps = draws.filter(({ mode }) => mode === 'step');
    const created = draws.filter(({ phase }) => phase === 'create');
    expect(steps.length).to.be.within(60, 140);
    expect(created.length).to.be.within(15, 70);
    for (const { mode, delayMicros = 0 } of draws) {
      expect(delayMicros).to.be.within(1, mode === 'step' ? 3_000_000 : 1_000_000);
    }
    const times = draws.filter(({ mode, phase }) => mode === 'time' && phase === 'run');
    const mean = times.reduce((sum, { delayMicros = 0 }) => sum + delayMicros, 0) / times.length;
    expect(mean).to.be.within(400_000, 600_000);
  });

  it('never aims at a step of threads or of a program, which have none in a fixed order', () => {
    for (let seed = 0; seed < 200; seed++) {
      expect(drawCut(seed, backend('redo/threads'), 500).mode).to.equal('time');
      const { mode, phase } = drawCut(seed, program, 500);
      expect([mode, phase]).to.deep.equal(['time', 'run']);
    }
    const after = new Set(Array.from({ length: 200 }, (_, seed) => drawCut(seed, program, 500).afterCommit));
    expect([...after].sort()).to.deep.equal([0, 1, 2, 3]);
  });
});
