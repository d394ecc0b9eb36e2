import { expect } from 'chai';
import { recordAnew } from '../../../harness/cli/command-line.js';

describe('a command line to paste', () => {
  it('makes the same campaign again, and writes over nothing', () => {
    const argv = [
      'run',
      '--setup',
      './s setup',
      '--fs',
      'ext4',
      '--out',
      'old',
      '--seed=9',
      '--json',
      '--html',
      'x',
    ];
    expect(recordAnew(argv, 7)).to.match(/plugpull run --setup '\.\/s setup' --fs ext4 --seed 7$/);
  });
});
