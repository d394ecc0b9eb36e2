/**
 * A folder that can clone files, for backends that need it: an XFS image on a loop device, mounted in
 * the private mount namespace that `plugpull run` enters as root. Whatever ends the namespace's last
 * process takes the mount with it, and the loop device with the mount.
 */
import { execa } from 'execa';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { UnavailableError } from '../core/errors.js';
import { FolderRig } from './folder.js';
import type { Place, Rig } from './rig.js';

/** Set in a process that lives in a mount namespace of its own. */
export const privateMountsVariable = 'PLUGPULL_PRIVATE_MOUNTS';

/** Can a mount namespace of one's own be entered here? */
export function canUnshareMounts(): boolean {
  const args = ['--mount', '--propagation', 'private', 'true'];
  return spawnSync('unshare', args, { stdio: 'ignore' }).status === 0;
}

/** XFS refuses less. The file is sparse. */
const imageBytes = 300 * 1024 ** 2;

export class ReflinkImageRig implements Rig {
  readonly name = 'folder';
  private root: string | null = null;
  private inner: FolderRig | null = null;

  constructor(private readonly base: string) {}

  async prepare(): Promise<void> {
    const reason = whyNoImage();
    if (reason !== null) throw new UnavailableError(reason.reason, reason.remedy);
    this.root = mkdtempSync(path.join(this.base, 'plugpull-xfs-'));
    const image = path.join(this.root, 'image');
    const mount = path.join(this.root, 'mount');
    mkdirSync(mount);
    try {
      await execa('mkfs.xfs', ['-q', '-m', 'reflink=1', '-d', `file,name=${image},size=${imageBytes}`], {
        timeout: 60_000,
      });
      await execa('mount', ['-o', 'loop,nouuid', image, mount], { timeout: 60_000 });
    } catch (error) {
      rmSync(this.root, { recursive: true, force: true });
      throw new UnavailableError(
        `no XFS image could be mounted: ${(error as { shortMessage?: string }).shortMessage ?? String(error)}`,
        'name a folder on XFS or btrfs with --dir',
      );
    }
    this.inner = new FolderRig(mount);
    await this.inner.prepare();
  }

  place(slot: number): Place {
    if (this.inner === null) throw new Error('the rig is not prepared');
    return this.inner.place(slot);
  }

  async close(): Promise<void> {
    await this.inner?.close();
    this.inner = null;
    if (this.root === null) return;
    await execa('umount', [path.join(this.root, 'mount')], { timeout: 60_000, reject: false });
    rmSync(this.root, { recursive: true, force: true });
    this.root = null;
  }
}

/** Why an image cannot be mounted here, or null. */
export function whyNoImage(): { reason: string; remedy: string } | null {
  if (process.getuid?.() !== 0) {
    return {
      reason: 'mounting an image that can clone files needs root',
      remedy: 'run as root, or name a folder on XFS or btrfs with --dir',
    };
  }
  if (process.env[privateMountsVariable] === undefined) {
    return {
      reason: 'there is no mount namespace of our own to mount an image in',
      remedy: 'start it as `plugpull run`, with unshare(1) installed (Debian package util-linux)',
    };
  }
  return null;
}
