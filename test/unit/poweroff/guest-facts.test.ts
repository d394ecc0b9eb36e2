import { expect } from 'chai';
import {
  describeGuests,
  differenceOf,
  listGuests,
  type GuestFacts,
} from '../../../harness/poweroff/guest-facts.js';

const facts: GuestFacts = {
  kernel: '6.1',
  release: '6.1.0-41-amd64',
  kernelPackage: 'linux-image-6.1.0-41-amd64 6.1.158-1',
  image: '6.1-0123456789',
  qemu: '7.2.22',
  accel: 'tcg',
  packages: { e2fsprogs: '1.47', bash: '5.2' },
};

describe('what guests run', () => {
  it('is told in a line, and in full', () => {
    const line =
      'Linux 6.1.0-41-amd64 (linux-image-6.1.0-41-amd64 6.1.158-1), e2fsprogs 1.47, xfsprogs ?, btrfs-progs ?, f2fs-tools ?; image 6.1-0123456789; QEMU 7.2.22, tcg';
    expect(describeGuests(facts)).to.equal(line);
    expect(listGuests(facts)).to.equal(`${line}\n\npackages of the image:\ne2fsprogs 1.47\nbash 5.2\n`);
  });

  it('is compared with what ran when something was found', () => {
    expect(differenceOf(facts, facts)).to.equal(null);
    expect(differenceOf({}, facts)).to.equal(null);
    const newer = {
      ...facts,
      release: '6.1.0-42-amd64',
      kernelPackage: 'linux-image-6.1.0-42-amd64 6.1.159-1',
    };
    expect(differenceOf(facts, newer)).to.equal(
      'it was found with Linux 6.1.0-41-amd64 (linux-image-6.1.0-41-amd64 6.1.158-1), and this is 6.1.0-42-amd64 (linux-image-6.1.0-42-amd64 6.1.159-1)',
    );
    expect(differenceOf(facts, { ...facts, packages: { bash: '5.2' } })).to.equal(
      'it was found with e2fsprogs 1.47, and here it is not there',
    );
    expect(differenceOf(facts, { ...facts, packages: {} })).to.match(/e2fsprogs 1.47 and 1 more packages/);
  });
});
