/** Evidence from a guest whose root may read everything, for a controller that may not. */
import { chmodSync, cpSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

/**
 * Copies a folder for a controller that is not root: what its owner may not read is made readable, and named.
 * Gives what is worth telling.
 */
export function copyReadable(from: string, to: string): string[] {
  try {
    cpSync(from, to, { recursive: true, preserveTimestamps: true });
    const told: string[] = [];
    for (const name of ['', ...readdirSync(to, { recursive: true, encoding: 'utf8' })]) {
      const file = path.join(to, name);
      const stat = lstatSync(file);
      const wanted = stat.isDirectory() ? 0o700 : stat.isFile() ? 0o400 : 0;
      if ((stat.mode & wanted) === wanted) continue;
      chmodSync(file, (stat.mode & 0o7777) | wanted);
      told.push(`${name}: its permissions were ${(stat.mode & 0o7777).toString(8).padStart(4, '0')}`);
    }
    return told;
  } catch (error) {
    rmSync(to, { recursive: true, force: true });
    return [`the files could not be copied: ${(error as Error).message}`];
  }
}
