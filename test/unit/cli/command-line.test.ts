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
    const run = { argv, seed: 7, cwd: '/home/me' };
    const anew = /plugpull run --setup '\.\/s setup' --fs ext4 --seed 7$/;
    expect(recordAnew(run, '/home/me')).to.match(anew).and.not.contain('cd ');
    expect(recordAnew(run, '/'))
      .to.match(anew)
      .and.match(/^cd \/home\/me && /);
  });
});
