/** How many crash states of one recording a machine can have mounted at once. */
import { statSync } from 'node:fs';
import os from 'node:os';
import type { Recording } from './recording.js';

/** For the disks on which states are shown: they lie in memory. */
const memoryBytes = 320 * 1024 ** 2;

/** Before this kernel, btrfs refused a second file system with the same identity (EEXIST). */
const btrfsTwins = [6, 7] as const;

/** @param release of the running kernel, such as 6.1.176 */
export function mountsAtOnce(fsType: string, release = os.release()): number {
  if (fsType !== 'btrfs') return Infinity;
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  const [sinceMajor, sinceMinor] = btrfsTwins;
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor) ? Infinity : 1;
}

/** At most so many presenters for a recording as its kernel can have and memory holds, but one. */
export function presentersAtOnce(
  { fs, base, trace, changed }: Pick<Recording, 'fs' | 'base' | 'trace' | 'changed'>,
  wanted: number,
): number {
  const written = statSync(base).blocks * 512 + (changed ?? statSync(trace).size);
  const inMemory = Math.floor(memoryBytes / Math.min(fs.bytes, written));
  return Math.max(1, Math.min(wanted, mountsAtOnce(fs.type), inMemory));
}
