import { expect } from 'chai';
import { mountsAtOnce } from '../../../harness/disk/mounts-at-once.js';

describe('crash states that are mounted at once', () => {
  it('are one on a btrfs that knows a file system by its identity alone', () => {
    for (const release of ['6.1.176', '6.6.0-rc1', '5.10.0-28-amd64']) {
      expect(mountsAtOnce('btrfs', release), release).to.equal(1);
    }
  });

  it('are as many as wanted otherwise', () => {
    for (const release of ['6.7.0', '6.18.44-fc', '7.0.1']) {
      expect(mountsAtOnce('btrfs', release), release).to.equal(Infinity);
    }
    expect(mountsAtOnce('ext4', '6.1.176')).to.equal(Infinity);
    expect(mountsAtOnce('xfs', '6.1.176')).to.equal(Infinity);
  });
});
