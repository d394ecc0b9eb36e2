/** Where the files lie that have filled a file system, and how their space is given back. */
import { rmSync } from 'node:fs';
import path from 'node:path';

export const fillerFolder = 'filler';

/** Gives back what `fill` took, if it did: recovery on a full disk is not what a crash state is asked about. */
export function makeRoom(root: string): void {
  try {
    rmSync(path.join(root, fillerFolder), { recursive: true, force: true });
  } catch {
    // A file system that is too broken for it: the check that follows says so.
  }
}
