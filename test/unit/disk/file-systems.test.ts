import { expect } from 'chai';
import {
  canClone,
  fileSystemNames,
  guestFileSystemNames,
  mountsAtOnce,
  parseFileSystem,
} from '../../../harness/disk/file-systems.js';
import { UsageError } from '../../../harness/core/errors.js';

describe('file systems of rig disk', () => {
  it('takes mount options after a colon and mkfs options after another', () => {
    expect(parseFileSystem('ext4').options).to.equal('noinit_itable,no_mbcache');
    const odd = parseFileSystem('ext4:data=writeback+noatime:-O ^has_journal');
    expect(odd).to.include({ type: 'ext4', options: 'noinit_itable,no_mbcache,data=writeback,noatime' });
    expect(odd.mkfs.slice(-2)).to.deep.equal(['-O', '^has_journal']);
    expect(odd.name).to.equal('ext4:data=writeback+noatime:-O ^has_journal');
    expect(parseFileSystem('xfs::-m reflink=0').mkfs.slice(-2)).to.deep.equal(['-m', 'reflink=0']);
  });

  it('has one crash state of a recording mounted at once on a btrfs that knows a file system by its identity alone', () => {
    for (const release of ['6.1.176', '6.6.0-rc1', '5.10.0-28-amd64'])
      expect(mountsAtOnce('btrfs', release), release).to.equal(1);
    for (const release of ['6.7.0', '6.18.44-fc', '7.0.1'])
      expect(mountsAtOnce('btrfs', release), release).to.equal(Infinity);
    expect(mountsAtOnce('ext4', '6.1.176')).to.equal(Infinity);
  });

  it('clones files where the file system can', () => {
    expect(guestFileSystemNames.filter(canClone)).to.deep.equal(['xfs', 'btrfs']);
  });

  it('knows every name that it lists, and refuses others by name', () => {
    for (const name of fileSystemNames) expect(parseFileSystem(name).type).to.equal(name);
    expect(() => parseFileSystem('ntfs')).to.throw(UsageError, 'no file system "ntfs"');
    expect(() => parseFileSystem('ext4:data=writeback noatime')).to.throw(UsageError);
  });
});
