/** Where the memory of a machine is a file, removed as soon as it is made. */
import { readFileSync, statfsSync } from 'node:fs';
import os from 'node:os';
import { UnavailableError } from '../core/errors.js';

/** In memory where there is room, and only where its pages may be executed. @param bytes of one machine */
export function memoryFolder(bytes: number, folders = ['/dev/shm', os.tmpdir(), '/tmp', '/var/tmp']): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8');
  for (const folder of folders) {
    try {
      const { bavail, bsize } = statfsSync(folder);
      // Another machine may be about to take as much.
      if (bavail * bsize >= 2 * bytes && !optionsAt(folder, mounts).includes('noexec')) return folder;
    } catch {
      continue;
    }
  }
  const gib = (2 * bytes) / 1024 ** 3;
  throw new UnavailableError(
    `user-mode Linux finds no folder with ${gib} GiB of room for its memory that is not mounted noexec`,
    `let TMPDIR name one; looked at: ${[...new Set(folders)].join(', ')}`,
  );
}

/** So many machines have room in it and in this computer's memory; at least one. */
export function machinesThatFit(folder: string, bytes: number): number {
  const { bavail, bsize } = statfsSync(folder);
  return Math.max(1, Math.floor(Math.min(bavail * bsize, os.freemem()) / bytes));
}

/** Options of the mount that a folder lies on. @param mounts the text of /proc/mounts */
export function optionsAt(folder: string, mounts: string): string[] {
  let found = { point: '', options: '' };
  for (const line of mounts.split('\n')) {
    const [, point = '', , options = ''] = line.split(' ');
    const within = point === '/' || folder === point || folder.startsWith(`${point}/`);
    // Of two mounts at one place the later one is seen.
    if (point !== '' && within && point.length >= found.point.length) found = { point, options };
  }
  return found.options.split(',');
}
