/** Where the files lie that have filled a file system, and how their space is given back. */
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';

export const fillerFolder = 'filler';

/** Gives back what `fill` took, if it did: recovery on a full disk is not what a crash state is asked about. */
export function makeRoom(root: string): void {
  const filler = path.join(root, fillerFolder);
  // Asked for each of thousands of crash states, and there in few.
  if (!existsSync(filler)) return;
  try {
    rmSync(filler, { recursive: true, force: true });
  } catch {
    // A file system that is too broken for it: the check that follows says so.
  }
}
