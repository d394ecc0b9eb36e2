import { expect } from 'chai';
import { concerns } from '../../../harness/disk/kernel-log.js';

describe('what the kernel logged of one state', () => {
  it('leaves out what it said of states that were mounted beside it', () => {
    const own = 'EXT4-fs (loop3): mounted filesystem';
    const other = 'XFS (loop13): Ending clean mount';
    expect(concerns(own, 'loop3')).to.equal(true);
    expect(concerns(other, 'loop3')).to.equal(false);
    expect(concerns('EXT4-fs (loop33): error', 'loop3')).to.equal(false);
    expect([own, other].every((line) => concerns(line, null))).to.equal(true);
  });

  it('keeps lines of file systems that name no device, and no others', () => {
    expect(concerns('JBD2: Invalid checksum recovering block 5', 'loop3')).to.equal(true);
    expect(concerns('usb 1-1: new device', 'loop3')).to.equal(false);
  });
});
