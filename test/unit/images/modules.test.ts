import { expect } from 'chai';
import { loadOrder } from '../../../harness/images/modules.js';

const dependencies = `kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/fs/mbcache.ko
kernel/fs/jbd2/jbd2.ko:
kernel/fs/mbcache.ko:
kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio-ring.ko.xz
kernel/drivers/virtio/virtio-ring.ko.xz: kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/virtio/virtio.ko.xz:
`;

describe('the order of kernel modules', () => {
  it('has each after all that it needs, and each once', () => {
    expect(loadOrder(['ext4', 'virtio_blk', 'mbcache'], dependencies, '')).to.deep.equal([
      'kernel/fs/jbd2/jbd2.ko',
      'kernel/fs/mbcache.ko',
      'kernel/fs/ext4/ext4.ko',
      'kernel/drivers/virtio/virtio.ko.xz',
      'kernel/drivers/virtio/virtio-ring.ko.xz',
      'kernel/drivers/block/virtio_blk.ko.xz',
    ]);
  });

  it('takes - and _ for one, and passes over what is built in or may be missing', () => {
    const builtin = 'kernel/fs/fuse/fuse.ko\n';
    expect(loadOrder(['virtio_ring', 'fuse', 'crc32c_intel?'], dependencies, builtin)).to.deep.equal([
      'kernel/drivers/virtio/virtio.ko.xz',
      'kernel/drivers/virtio/virtio-ring.ko.xz',
    ]);
  });

  it('names a module that is nowhere', () => {
    expect(() => loadOrder(['xfs'], dependencies, '')).to.throw('no module xfs');
  });
});
