import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { UsageError } from '../core/errors.js';

export interface ToolFolder {
  folder: string;
  remove(): void;
}

/** Copies programs to a folder of their own, to be first in PATH. Throws a UsageError for one that cannot be read. */
export function makeToolFolder(files: readonly string[]): ToolFolder {
  const folder = mkdtempSync(path.join(tmpdir(), 'plugpull-tools-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const taken = new Map<string, string>();
  try {
    for (const file of files) {
      const name = path.basename(file);
      const other = taken.get(name);
      if (other !== undefined) throw new UsageError(`--with: ${other} and ${file} have the same name`);
      taken.set(name, file);
      copy(file, path.join(folder, name));
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { folder, remove };
}

function copy(file: string, to: string): void {
  try {
    copyFileSync(file, to);
    chmodSync(to, 0o755);
  } catch (error) {
    throw new UsageError(`--with ${file}: ${(error as Error).message}`);
  }
}
