/** A folder and those above it. */
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes a folder and what is missing above it; throws the error of mkdir(2). (Node's own `recursive` never returns
 * where the file system refuses new names with ENOENT, as /proc does.)
 */
export function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const above = path.dirname(folder);
  if (above !== folder) makeFolder(above);
  try {
    mkdirSync(folder);
  } catch (error) {
    // Somebody else may have made it meanwhile.
    const there = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
    if (!there) throw error;
  }
}
