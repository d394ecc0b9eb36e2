import { expect } from 'chai';
import { UnavailableError } from '../../../harness/core/errors.js';
import { ToolError, whyNotMade } from '../../../harness/images/tools.js';

describe('why something could not be made', () => {
  const why = (stderr: string): Error =>
    whyNotMade(new ToolError('apt-get', 100, stderr), '/some/folder', 'the kernel');

  for (const said of [
    'dpkg-deb: error: … (No space left on device)',
    "E: You don't have enough free space in /x; not enough free space",
    'Write error: Disk quota exceeded',
  ]) {
    it(`is a full disk, named by its folder: ${said}`, () => {
      const error = why(said);
      expect(error).to.be.instanceOf(UnavailableError);
      expect(error.message).to.match(/no space left in \/some\/folder for the kernel: apt-get failed/);
    });
  }

  for (const said of [
    'E: Failed to fetch http://deb.debian.org/x  404',
    'W: Could not resolve "proxy"',
    'E: Unable to connect to deb.debian.org:80',
  ]) {
    it(`is a mirror that is not there: ${said}`, () => {
      const error = why(said);
      expect(error).to.be.instanceOf(UnavailableError);
      expect(error)
        .to.have.property('remedy')
        .that.matches(/mirrors/);
    });
  }

  it('is what the tool says, else; and what the system says of our own files', () => {
    expect(why('Segmentation fault')).to.be.instanceOf(ToolError);
    const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' });
    const error = whyNotMade(full, '/some/folder', 'the kernel');
    expect(error).to.be.instanceOf(UnavailableError);
    expect(error.message).to.match(/the kernel in \/some\/folder: no space left/);
    const other = new Error('other');
    expect(whyNotMade(other, '/f', 'x')).to.equal(other);
  });
});
