import { expect } from 'chai';
import { UnavailableError } from '../../../harness/core/errors.js';
import { memoryFolder, optionsAt } from '../../../harness/uml/memory-folder.js';

const mounts = [
  '/dev/vda / ext4 rw,relatime 0 0',
  'shm /dev/shm tmpfs rw,nosuid,noexec,size=65536k 0 0',
  'tmpfs /tmp tmpfs rw,noexec 0 0',
  'tmpfs /tmp tmpfs rw,exec 0 0',
  '',
].join('\n');

describe('the folder of a machine’s memory', () => {
  it('has the options of the innermost and last mount', () => {
    expect(optionsAt('/dev/shm', mounts)).to.include('noexec');
    expect(optionsAt('/dev/shm/below', mounts)).to.include('noexec');
    expect(optionsAt('/dev/shmx', mounts)).to.deep.equal(['rw', 'relatime']);
    expect(optionsAt('/tmp/x', mounts)).to.deep.equal(['rw', 'exec']);
  });

  it('must have room, else that is said with the way out', () => {
    expect(() => memoryFolder(2 ** 60, ['/dev/shm', '/no/such/folder']))
      .to.throw(UnavailableError, /no folder with/)
      .with.property('remedy')
      .that.includes('/no/such/folder');
  });
});
