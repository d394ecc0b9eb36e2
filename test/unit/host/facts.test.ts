import { expect } from 'chai';
import { canClone, mountAt, sameMount, unfit, type HostFacts } from '../../../harness/host/facts.js';
import { cannotRunThere } from '../../../harness/host/install.js';

function facts(changes: Partial<HostFacts> = {}, fs = 'ext4'): HostFacts {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return {
    bootId: '01234567-89ab-cdef-0123-456789abcdef',
    kernel: '6.1.0',
    machine,
    libc: 'glibc 2.36',
    distribution: 'Debian',
    mount: { source: '/dev/sda1', point: '/mnt/test', fs, options: 'rw' },
    ...changes,
  };
}

describe('what a machine tells of itself', () => {
  it('names the newest mount at a point, blanks and all', () => {
    const mounts = [
      'rootfs / rootfs rw 0 0',
      '/dev/sda1 / ext4 rw,noatime 0 0',
      '/dev/sdb1 /mnt/my\\040disk xfs rw 0 0',
    ];
    expect(mountAt(mounts, '/').fs).to.equal('ext4');
    expect(mountAt(mounts, '/mnt/my disk')).to.deep.equal({
      source: '/dev/sdb1',
      point: '/mnt/my disk',
      fs: 'xfs',
      options: 'rw',
    });
  });

  it('refuses a folder that is missing, not writable, or in memory', () => {
    expect(unfit('pi', '/mnt/test', 'good', facts())).to.equal(null);
    expect(unfit('pi', '/mnt/test', 'missing', facts())?.message).to.include('no folder /mnt/test');
    expect(unfit('pi', '/mnt/test', 'mktemp: Read-only file system', facts())?.message).to.include(
      'cannot write in /mnt/test: mktemp: Read-only file system',
    );
    expect(unfit('pi', '/mnt/test', 'good', facts({}, 'tmpfs'))?.message).to.include('lives in memory');
  });

  it('takes another device for the same file system, but not another kind or place', () => {
    const { mount } = facts();
    expect(sameMount(mount, { ...mount, source: '/dev/sdb1' })).to.equal(true);
    expect(sameMount(mount, { ...mount, point: '/' })).to.equal(false);
    expect(sameMount(mount, { ...mount, fs: 'xfs' })).to.equal(false);
  });

  it('says which file systems clone', () => {
    expect(['ext4', 'xfs', 'btrfs', 'f2fs'].map((fs) => canClone(facts({}, fs)))).to.deep.equal([
      false,
      true,
      true,
      false,
    ]);
  });

  it('refuses another architecture and another C library, with a way out', () => {
    expect(cannotRunThere('pi', facts())).to.equal(null);
    const arch = cannotRunThere('pi', facts({ machine: 'armv7l' }));
    expect(arch?.message).to.include('pi is armv7l');
    expect(arch?.remedy).to.include('--remote-plugpull');
    const libc = cannotRunThere('pi', facts({ libc: 'musl libc (x86_64)' }));
    expect(libc?.message).to.include('no glibc').and.include('musl');
  });
});
