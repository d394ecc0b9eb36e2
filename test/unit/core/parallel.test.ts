import { expect } from 'chai';
import { inParallel } from '../../../harness/core/parallel.js';

const pause = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('slots that work in parallel', () => {
  it('each do their work', async () => {
    const done: string[] = [];
    await inParallel(['a', 'b'], async (slot, number) => {
      await pause();
      done.push(`${slot}${number}`);
    });
    expect(done).to.have.members(['a0', 'b1']);
  });

  it('stop when one has failed, and its error comes only after all have ended', async () => {
    let working = 1;
    const work = inParallel([0, 1], async (slot, _number, failed) => {
      if (slot === 0) throw new Error('the disk is full');
      while (!failed()) await pause();
      await pause();
      working--;
    });
    let told = '';
    await work.catch((error: unknown) => {
      told = `${(error as Error).message}, ${working} at work`;
    });
    expect(told).to.equal('the disk is full, 0 at work');
  });
});
