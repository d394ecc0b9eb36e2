/** Looks for room before anything is built: a disk that fills up half-way wastes minutes. */
import { statfsSync } from 'node:fs';
import { UnavailableError } from '../core/errors.js';

export interface Need {
  folder: string;
  bytes: number;
}

const mib = 1024 ** 2;

/** Throws UnavailableError, saying how much is missing and where. Folders on one file system share its room. */
export function needSpace(needs: readonly Need[], what: string): void {
  const total = new Map<string, { need: Need; free: number }>();
  for (const need of needs) {
    const { bavail, bsize, blocks, bfree, type } = statfsSync(need.folder);
    // Node tells no device number for statfs; these four tell file systems apart.
    const key = [type, bsize, blocks, bfree].join();
    const known = total.get(key);
    const bytes = (known?.need.bytes ?? 0) + need.bytes;
    total.set(key, { need: { folder: known?.need.folder ?? need.folder, bytes }, free: bavail * bsize });
  }
  for (const { need, free } of total.values()) {
    if (free >= need.bytes) continue;
    throw new UnavailableError(
      `${what} needs ${Math.ceil(need.bytes / mib)} MiB in ${need.folder}, and there are ${Math.floor(free / mib)} MiB`,
      'make room, or name another folder in $PLUGPULL_CACHE (and in $TMPDIR)',
    );
  }
}
