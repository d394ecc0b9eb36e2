/** Builds a guest image: the kernel and the root file system side by side, then all of it at once into the cache. */
import { copyFileSync, linkSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { hostMirrors, type Mirrors } from './apt.js';
import { cacheFolder, workFolder } from './cache.js';
import { buildLock, discard, imageOf, openImage, type VmImage } from './store.js';
import { buildKernel } from './kernel.js';
import { takeLock } from './lock.js';
import { BrokenImageError, readManifest, verifyFiles, writeManifest } from './manifest.js';
import { bringQemu } from './qemu-package.js';
import { readRecipe, type Recipe } from './recipe.js';
import { buildMode, buildRoot, rootWorkBytes, rootWorkFolder } from './root.js';
import { needSpace } from './space.js';
import { needTools, whyNotMade } from './tools.js';

const mib = 1024 ** 2;
/** What a build keeps, and what the kernel's package takes while it is unpacked. */
const imageBytes = 370 * mib;
const kernelWorkBytes = 400 * mib;
export const buildingTools = ['mmdebstrap', 'sqfstar', 'apt-get', 'dpkg-deb', 'tar', 'bash', 'flock'];

/**
 * Builds the image of a kernel, or gives the one that is there. One build at a time: others wait. A broken image is
 * replaced. Rejects with the signal's reason when it is aborted; what was built so far is removed.
 * @param progress told what is being done, one line each
 */
export async function buildImage(
  kernel: string,
  progress: (text: string) => void,
  signal?: AbortSignal,
): Promise<VmImage> {
  const mirrors = await hostMirrors();
  const recipe = readRecipe(kernel, mirrors.suite);
  const lock = await takeLock(buildLock, () => progress('another build is running: waiting for it'), signal);
  try {
    const there = await usable(recipe, progress);
    return there ?? (await build(recipe, mirrors, progress, signal));
  } finally {
    await lock.release();
  }
}

async function usable(recipe: Recipe, progress: (text: string) => void): Promise<VmImage | null> {
  try {
    return await imageOf(recipe);
  } catch (error) {
    if (!(error instanceof BrokenImageError)) throw error;
    progress(`${error.message}; building it again`);
    return null;
  }
}

async function build(
  recipe: Recipe,
  mirrors: Mirrors,
  progress: (text: string) => void,
  signal?: AbortSignal,
): Promise<VmImage> {
  needTools(buildingTools);
  const began = performance.now();
  const work = await workFolder();
  // If one of two fails, the other is stopped too.
  const stop = new AbortController();
  const either = AbortSignal.any([stop.signal, ...(signal === undefined ? [] : [signal])]);
  try {
    const root = await builtRoot(recipe);
    if (root === null) buildMode(); // no rights: known before anything is fetched
    needSpace(
      [
        { folder: work, bytes: kernelWorkBytes + imageBytes },
        ...(root === null ? [{ folder: rootWorkFolder(work), bytes: rootWorkBytes }] : []),
      ],
      `building image ${recipe.id}`,
    );
    const out = path.join(work, 'image');
    await mkdir(out);
    const parts = [
      buildKernel(recipe, mirrors, path.join(work, 'kernel'), out, progress, either),
      root === null
        ? buildRoot(recipe, mirrors, work, out, progress, either)
        : Promise.resolve(takeRoot(root.file, out, root.packages, progress)),
    ] as const;
    for (const part of parts) part.catch((error: unknown) => stop.abort(error));
    await Promise.allSettled(parts);
    either.throwIfAborted();
    const [builtKernel, { packages }] = await Promise.all(parts);
    const qemu = await bringQemu(
      builtKernel.release,
      mirrors,
      path.join(work, 'qemu'),
      out,
      progress,
      signal,
    );
    progress('checksums');
    await writeManifest(out, {
      id: recipe.id,
      recipe: recipe.kernel,
      digest: recipe.digest,
      rootDigest: recipe.rootDigest,
      built: new Date().toISOString(),
      suite: recipe.suite,
      node: process.version,
      kernel: builtKernel,
      packages,
      ...(qemu === null ? {} : { qemu }),
    });
    const folder = path.join(cacheFolder('images'), recipe.id);
    if (readdirSync(path.dirname(folder)).includes(recipe.id)) await discard(folder);
    await rename(out, folder);
    progress(`image ${recipe.id} is built, in ${((performance.now() - began) / 1000).toFixed(0)} s`);
    return await openImage(folder);
  } catch (error) {
    signal?.throwIfAborted();
    throw whyNotMade(error, work, `image ${recipe.id}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A root file system made from the same recipe for another kernel. */
async function builtRoot(recipe: Recipe): Promise<{ file: string; packages: Record<string, string> } | null> {
  const base = cacheFolder('images');
  for (const id of readdirSync(base)) {
    const folder = path.join(base, id);
    const manifest = await readManifest(folder).catch(() => null);
    const root = manifest?.files['root.squashfs'];
    if (manifest?.rootDigest !== recipe.rootDigest || root === undefined) continue;
    try {
      await verifyFiles(folder, manifest);
    } catch {
      continue;
    }
    return { file: path.join(folder, 'root.squashfs'), packages: manifest.packages };
  }
  return null;
}

function takeRoot(
  file: string,
  out: string,
  packages: Record<string, string>,
  progress: (text: string) => void,
) {
  progress('root file system: that of another image');
  const to = path.join(out, 'root.squashfs');
  try {
    linkSync(file, to);
  } catch {
    copyFileSync(file, to);
  }
  return { packages };
}
