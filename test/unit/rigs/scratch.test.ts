import { expect } from 'chai';
import { mountsBelow } from '../../../harness/rigs/scratch.js';

describe('files in memory', () => {
  it('know the mounts below a folder, the innermost first, whatever their names', () => {
    const mounts = [
      'tmpfs /dev/shm tmpfs rw 0 0',
      '/dev/loop0 /dev/shm/mine/xfs xfs rw 0 0',
      '/dev/loop1 /dev/shm/mine/xfs/a\\040b ext4 rw 0 0',
      '/dev/loop2 /dev/shm/mine-too ext4 rw 0 0',
      '',
    ].join('\n');
    expect(mountsBelow('/dev/shm/mine', mounts)).to.deep.equal([
      '/dev/shm/mine/xfs/a b',
      '/dev/shm/mine/xfs',
    ]);
  });
});
