import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { UnavailableError } from '../../../harness/core/errors.js';
import { boots } from '../../../harness/images/kvm.js';
import { lacksQemu } from '../../../harness/images/qemu-package.js';
import { refuseEmulation } from '../../../harness/images/qemu.js';
import type { VmImage } from '../../../harness/images/store.js';
import { processesNaming, temporaryFolder, until } from '../../support/cli.js';

describe('the QEMU that runs a kernel', () => {
  const old = { program: '/usr/bin/qemu', version: '7.2.22' };
  const fresh = { program: '/usr/bin/qemu', version: '10.0.2' };
  const image = (release: string) =>
    ({ id: 'x', release, manifest: { recipe: 'y' } }) as Pick<VmImage, 'id' | 'release' | 'manifest'>;

  it('is none that would damage its memory, whatever starts with KVM and then boots nothing', () => {
    const refused = () => refuseEmulation(image('6.12.1-amd64'), old, 'tcg');
    expect(refused).to.throw(UnavailableError, /needs QEMU 10 or newer where KVM does not boot it/);
    expect(() => refuseEmulation(image('6.12.1-amd64'), old, 'kvm')).not.to.throw();
    expect(() => refuseEmulation(image('6.12.1-amd64'), fresh, 'tcg')).not.to.throw();
    expect(() => refuseEmulation(image('6.1.0-41-amd64'), old, 'tcg')).not.to.throw();
  });

  it('comes with the image where the installed one would, and KVM does not really boot the kernel', async () => {
    const yes = (): Promise<boolean> => Promise.resolve(true);
    const no = (): Promise<boolean> => Promise.resolve(false);
    expect(await lacksQemu('6.12.1', old, no)).to.equal(true);
    expect(await lacksQemu('6.12.1', old, yes)).to.equal(false);
    expect(await lacksQemu('6.12.1', fresh, no)).to.equal(false);
    expect(await lacksQemu('6.1.0', old, no)).to.equal(false);
    expect(await lacksQemu('6.1.0', null, yes)).to.equal(true);
  });

  it('is tried for a bounded time, and nothing of it stays', async () => {
    const { folder, remove } = temporaryFolder();
    try {
      const hangs = path.join(folder, 'qemu');
      writeFileSync(hangs, '#!/bin/sh\necho "plugpull: kernel 1"\nsleep 600 & wait\n', { mode: 0o755 });
      expect(await boots([hangs], 'vmlinuz', 'initrd', 300)).to.equal(false);
      await until('nothing of it', () => processesNaming(hangs).length === 0);
      writeFileSync(hangs, '#!/bin/sh\necho "plugpull: kernel 1"\n', { mode: 0o755 });
      expect(await boots([hangs], 'vmlinuz', 'initrd')).to.equal(true);
      writeFileSync(hangs, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      expect(await boots([hangs], 'vmlinuz', 'initrd')).to.equal(false);
    } finally {
      remove();
    }
  });
});
