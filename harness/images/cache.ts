/** Where guest images, payloads and what is being built lie. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { mkdtemp, open } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { storageError } from '../core/errors.js';
import { makeFolder } from '../core/make-folder.js';
import { startOf } from '../core/process-start.js';

/** `$PLUGPULL_CACHE`, else `plugpull` in `$XDG_CACHE_HOME` or `~/.cache`. Absolute; need not exist. */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  const own = env.PLUGPULL_CACHE ?? '';
  if (own !== '') return path.resolve(own);
  const base = env.XDG_CACHE_HOME ?? '';
  return path.join(path.isAbsolute(base) ? base : path.join(homedir(), '.cache'), 'plugpull');
}

/** A folder of the cache, made if it is not there. Throws what storageError gives. */
export function cacheFolder(name: 'images' | 'payloads' | 'work' | 'locks'): string {
  const folder = path.join(cacheRoot(), name);
  try {
    makeFolder(folder);
  } catch (error) {
    throw storageError(error, folder);
  }
  return folder;
}

/** A new folder to build in, on the file system of the cache. Its name tells whose it is. */
export async function workFolder(): Promise<string> {
  const base = cacheFolder('work');
  sweep(base);
  try {
    return await mkdtemp(path.join(base, ownPrefix()));
  } catch (error) {
    throw storageError(error, base);
  }
}

/** The beginning of the names of folders that belong to this process, and to no later one with its number. */
export function ownPrefix(): string {
  return `${process.pid}-${startOf(process.pid) ?? '0'}-`;
}

/** Does the process still run that made a folder of this name (without what comes before ownPrefix)? */
export function ownerLives(name: string): boolean {
  const owner = /^(\d+)-(\d+)-/.exec(name);
  return owner !== null && startOf(Number(owner[1])) === owner[2];
}

/** Removes what builders that were killed have left. What cannot be removed is not ours. */
function sweep(base: string): void {
  for (const name of readdirSync(base)) {
    if (ownerLives(name)) continue;
    try {
      rmSync(path.join(base, name), { recursive: true, force: true });
    } catch {
      // Another user's.
    }
  }
}

/** Bytes of a folder's files, by length. */
export function bytesOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
}

/** Brings a file, or the names in a folder, to the disk: what is renamed then is whole even if the power fails. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
