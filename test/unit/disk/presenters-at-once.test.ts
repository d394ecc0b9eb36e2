import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseFileSystem } from '../../../harness/disk/file-systems.js';
import { presentersAtOnce } from '../../../harness/disk/presenters-at-once.js';
import { temporaryFolder } from '../../support/cli.js';

describe('crash states that are shown at once', () => {
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
      expect(atOnce('ext4::-I 256', 1024)).to.equal(4);
      // On zram devices it is there twice.
      expect(atOnce('ext4', 1024)).to.equal(2);
      expect(atOnce('ext4', 10)).to.equal(4);
    } finally {
      remove();
    }
  });
});
