/** Comparison of two folders, for recovery that must give the same bytes twice. */
import { native } from '../../native/index.js';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** First difference in words, null if there is none. */
export function filesEqual(a: string, b: string, ignore: ((file: string) => boolean) | null): string | null {
  const difference = native.compareFolders(a, b);
  if (difference === null || ignore === null) return difference;
  const inA = files(a).filter((file) => !ignore(file));
  const inB = files(b).filter((file) => !ignore(file));
  const only = inA.find((file) => !inB.includes(file)) ?? inB.find((file) => !inA.includes(file));
  if (only !== undefined) return `${only} is there after only one of the recoveries`;
  const changed = inA.find(
    (file) => !readFileSync(path.join(a, file)).equals(readFileSync(path.join(b, file))),
  );
  return changed === undefined ? null : `${changed} differs`;
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}
