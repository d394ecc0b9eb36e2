/** How many crash states of one recording this machine shows at once. */
import { statSync } from 'node:fs';
import { mountsAtOnce } from './file-systems.js';
import type { Recording } from './recording.js';

/** For the disks on which states are shown: they lie in memory. */
const memoryBytes = 320 * 1024 ** 2;

/** At most so many presenters for a recording as its kernel can have and memory holds, but one. */
export function presentersAtOnce(
  { fs, base, trace, changed }: Pick<Recording, 'fs' | 'base' | 'trace' | 'changed'>,
  wanted: number,
): number {
  const written = statSync(base).blocks * 512 + (changed ?? statSync(trace).size);
  // A zram device is a copy of it, which may not be compressible.
  const copies = fs.zram ? 2 : 1;
  const inMemory = Math.floor(memoryBytes / (copies * Math.min(fs.bytes, written)));
  return Math.max(1, Math.min(wanted, mountsAtOnce(fs.type), inMemory));
}
