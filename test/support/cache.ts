/** A cache of images for one test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeManifest } from '../../harness/images/manifest.js';

/** An empty cache that $PLUGPULL_CACHE names until `remove`. */
export function temporaryCache(): { folder: string; remove: () => void } {
  const before = process.env.PLUGPULL_CACHE;
  const folder = mkdtempSync(path.join(tmpdir(), 'plugpull-cache-'));
  process.env.PLUGPULL_CACHE = folder;
  const remove = () => {
    if (before === undefined) delete process.env.PLUGPULL_CACHE;
    else process.env.PLUGPULL_CACHE = before;
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, remove };
}

/** An image that no machine would boot, with all that belongs to one. */
export async function fakeImage(cache: string, id: string, recipe = '6.1'): Promise<string> {
  const folder = path.join(cache, 'images', id);
  mkdirSync(folder, { recursive: true });
  for (const name of ['vmlinuz', 'initrd', 'root.squashfs'])
    writeFileSync(path.join(folder, name), `${id} ${name}`);
  await writeManifest(folder, {
    id,
    recipe,
    digest: 'd',
    rootDigest: 'r',
    built: '2026-01-02T03:04:05.000Z',
    suite: 'bookworm',
    node: 'v20.0.0',
    kernel: { package: 'linux-image-x', version: '1', release: '6.1.0-x' },
    packages: { bash: '5' },
  });
  return folder;
}
