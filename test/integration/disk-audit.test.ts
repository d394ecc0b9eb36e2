/** The lazy exploration of disks against brute force, under the real kernel. Needs root, FUSE and loop devices. */
import { expect } from 'chai';
import { execa } from 'execa';
import type { Audit } from '../../harness/disk/audit.js';
import { projectRoot } from '../../harness/core/version.js';
import { whyNoDiskHere } from '../../harness/rigs/disk.js';

/** As documented in bench/disk-audit.ts, in a mount namespace of its own. */
async function audit(argument: string): Promise<Audit[]> {
  const node = [process.execPath, '--import=tsx', 'bench/main.ts', 'disk-audit', argument];
  const { stdout } = await execa('unshare', ['--mount', '--propagation', 'private', ...node], {
    cwd: projectRoot,
    env: { PLUGPULL_PRIVATE_MOUNTS: '1' },
  });
  return Object.values((JSON.parse(stdout) as { result: Record<string, Audit> }).result);
}

describe('lazy exploration of real file systems', function () {
  this.timeout(180_000);
  before(function () {
    if (whyNoDiskHere() !== null) this.skip();
  });

  for (const fs of ['ext4', 'xfs', 'btrfs']) {
    it(`gives every subset of the writes of ${fs} the outcome that brute force finds, and mounts fewer states`, async () => {
      for (const found of await audit(`${fs}@0@5`)) {
        expect(found, JSON.stringify(found)).to.include({ wrong: 0, uncovered: 0 });
        expect(found.outcomes.length).to.be.greaterThan(3);
        expect(found.mounted).to.be.lessThan(found.contents);
      }
    });
  }

  it('would be found out if it forgot what was read', async () => {
    for (const holes of ['ext4@2@5', 'btrfs@1@4']) {
      const found = await audit(holes);
      expect(Math.max(...found.map(({ wrong }) => wrong)), JSON.stringify(found)).to.be.greaterThan(0);
    }
  });
});
