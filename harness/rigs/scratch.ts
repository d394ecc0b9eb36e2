/**
 * Where trials of our own heaps work when the user names no folder: in memory, where a trial takes a third of the
 * time. A killed process loses nothing that its file system held, whichever that is.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { startOf } from '../core/process-start.js';

const memoryFolder = '/dev/shm';
/** TMPFS_MAGIC of statfs(2). */
const tmpfsMagic = 0x01021994;
const leastBytes = 1024 ** 3;
const prefix = 'plugpull-scratch-';
const unmountMillis = 10_000;

/** A new folder in memory, or null where there is no room for one. Its name tells whose it is. */
export function memoryScratch(): string | null {
  try {
    const { type, bavail, bsize } = statfsSync(memoryFolder);
    if (type !== tmpfsMagic || bavail * bsize < leastBytes) return null;
    sweep();
    return mkdtempSync(path.join(memoryFolder, `${prefix}${process.pid}-${startOf(process.pid) ?? 0}-`));
  } catch {
    return null; // no such file system here: trials work on disk
  }
}

/** Removes what controllers that were killed have left, as far as it is ours to remove. */
function sweep(): void {
  for (const name of readdirSync(memoryFolder)) {
    const owner = /^plugpull-scratch-(\d+)-(\d+)-/.exec(name);
    if (owner === null || startOf(Number(owner[1])) === owner[2]) continue;
    try {
      rmSync(path.join(memoryFolder, name), { recursive: true, force: true });
    } catch {
      // Another user's: a run of theirs removes it.
    }
  }
}

/** Removes a folder in which this process may still have mounts, as when it must end at once. Never throws. */
export function removeAtOnce(folder: string): void {
  try {
    lazilyUnmount(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // Workers that are being killed may still write: the next run removes what is left.
  }
}

/** Unmounts what is mounted on a folder or below it, even if it is busy. What hangs there hangs alone. */
export function lazilyUnmount(folder: string): void {
  const points = mountsBelow(folder, readFileSync('/proc/self/mounts', 'utf8'));
  if (points.length === 0) return;
  spawnSync('umount', ['--lazy', ...points], {
    stdio: 'ignore',
    timeout: unmountMillis,
    killSignal: 'SIGKILL',
  });
}

/** Mount points on a folder and below it, the innermost first. @param mounts the text of /proc/mounts */
export function mountsBelow(folder: string, mounts: string): string[] {
  return mounts
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .map((point) =>
      point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))),
    )
    .filter((point) => point === folder || point.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length);
}
