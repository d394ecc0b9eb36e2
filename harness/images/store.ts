/** Guest images in the cache: finding, listing and removing them. */
import { existsSync, readdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { storageError, UnavailableError, UsageError } from '../core/errors.js';
import { hostSuite } from './apt.js';
import { bytesOf, cacheFolder, ownPrefix } from './cache.js';
import { usersOf } from './holding.js';
import { takeLock } from './lock.js';
import { BrokenImageError, manifestName, readManifest, verifyFiles, type ImageManifest } from './manifest.js';
import { readRecipe, type Recipe } from './recipe.js';

export interface VmImage {
  id: string;
  folder: string;
  /** What QEMU starts: `vmlinux`, or else `vmlinuz`. */
  kernel: string;
  initrd: string;
  /** The root file system, a squashfs. */
  root: string;
  /** What uname -r says in the guest. */
  release: string;
  manifest: ImageManifest;
}

export const buildLock = 'images';

/**
 * The image of a kernel, checked, or null where it has to be built.
 * @param kernel `6.1`, `6.12`, or the name of a Debian package
 * @throws BrokenImageError, UsageError for a kernel that nobody knows
 */
export async function findImage(kernel: string): Promise<VmImage | null> {
  return imageOf(readRecipe(kernel, hostSuite()));
}

export async function imageOf(recipe: Recipe): Promise<VmImage | null> {
  const folder = path.join(cacheFolder('images'), recipe.id);
  return existsSync(folder) ? openImage(folder) : null;
}

/** Throws BrokenImageError. */
export async function openImage(folder: string): Promise<VmImage> {
  const manifest = await readManifest(folder);
  const needed = ['vmlinuz', 'initrd', 'root.squashfs'];
  const lacking = needed.find((name) => manifest.files[name] === undefined);
  if (lacking !== undefined) throw new BrokenImageError(manifest.id, `its list of files lacks ${lacking}`);
  await verifyFiles(folder, manifest);
  return {
    id: manifest.id,
    folder,
    kernel: path.join(folder, manifest.files.vmlinux === undefined ? 'vmlinuz' : 'vmlinux'),
    initrd: path.join(folder, 'initrd'),
    root: path.join(folder, 'root.squashfs'),
    release: manifest.kernel.release,
    manifest,
  };
}

export interface ListedImage {
  id: string;
  /** As it was asked for; null where the image is too broken to say. */
  kernel: string | null;
  release: string | null;
  bytes: number;
  built: string | null;
  /** Numbers of the processes that have its files open. */
  usedBy: number[];
  /** Made by another recipe than today's: runs build a new one, and this one can go. */
  outdated: boolean;
  /** Why it must not be used. Checksums are looked at only when it is. */
  broken: string | null;
}

/** All images in the cache, by id. */
export async function listImages(): Promise<ListedImage[]> {
  const base = cacheFolder('images');
  const ids = readdirSync(base).filter((name) => !name.startsWith('.'));
  return Promise.all(
    ids.sort().map(async (id) => {
      const folder = path.join(base, id);
      const common = { id, bytes: bytesOf(folder), usedBy: usersOf(folder) };
      try {
        const { recipe, kernel, built } = await readManifest(folder);
        return {
          ...common,
          kernel: recipe,
          release: kernel.release,
          built,
          outdated: isOutdated(recipe, id),
          broken: null,
        };
      } catch (error) {
        if (!(error instanceof BrokenImageError)) throw error;
        return { ...common, kernel: null, release: null, built: null, outdated: false, broken: error.why };
      }
    }),
  );
}

function isOutdated(kernel: string, id: string): boolean {
  try {
    return readRecipe(kernel, hostSuite()).id !== id;
  } catch {
    return true; // there is no such recipe any more
  }
}

/** Removes an image, whole or broken. Throws UsageError where there is none, UnavailableError where it is in use. */
export async function removeImage(id: string): Promise<void> {
  const base = cacheFolder('images');
  const ids = readdirSync(base).filter((name) => !name.startsWith('.'));
  if (!ids.includes(id)) {
    throw new UsageError(
      `there is no image "${id}"`,
      ids.length === 0 ? `${base} has none` : `there are: ${ids.sort().join(', ')}`,
    );
  }
  const lock = await takeLock(buildLock, () => undefined);
  try {
    const users = usersOf(path.join(base, id));
    if (users.length > 0) {
      throw new UnavailableError(
        `image ${id} is in use by process ${users.join(', ')}`,
        'end the runs that use it, then remove it',
      );
    }
    await discard(path.join(base, id));
  } finally {
    await lock.release();
  }
}

/** A file that is open while the image is used: see holdFiles. */
export function heldFile(image: VmImage): string {
  return path.join(image.folder, manifestName);
}

/** Takes a folder out of the way at once, so that nobody finds half of it, and then removes it. */
export async function discard(folder: string): Promise<void> {
  const aside = path.join(cacheFolder('work'), `${ownPrefix()}${path.basename(folder)}`);
  try {
    await rename(folder, aside);
    await rm(aside, { recursive: true, force: true });
  } catch (error) {
    throw storageError(error, `removing ${folder}`);
  }
}
