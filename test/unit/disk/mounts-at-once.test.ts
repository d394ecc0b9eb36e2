import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseFileSystem } from '../../../harness/disk/file-systems.js';
import { mountsAtOnce, presentersAtOnce } from '../../../harness/disk/mounts-at-once.js';
import { temporaryFolder } from '../../support/cli.js';

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

  it('are fewer where so much was written that their disks would not fit into memory', () => {
    const { folder, remove } = temporaryFolder();
    try {
      const base = path.join(folder, 'base');
      writeFileSync(base, '');
      const atOnce = (fs: string, mib: number): number =>
        presentersAtOnce({ fs: parseFileSystem(fs), base, trace: base, changed: mib * 1024 ** 2 }, 4);
      expect(atOnce('xfs', 10)).to.equal(4);
      expect(atOnce('xfs', 150)).to.equal(2);
      expect(atOnce('xfs', 1024)).to.equal(1);
      // Never more than the disk.
      expect(atOnce('ext4', 1024)).to.equal(4);
    } finally {
      remove();
    }
  });
});
