import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { UsageError } from '../core/errors.js';

export interface ToolFolder {
  folder: string;
  remove(): void;
}

const namePattern = /^plugpull-tools-(\d+)-/;

/** Removes folders of processes that are gone: one that is killed cannot clean up after itself. */
function removeOrphans(base: string): void {
  for (const name of readdirSync(base)) {
    const pid = namePattern.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      rmSync(path.join(base, name), { recursive: true, force: true });
    } catch {
      // Another user's.
    }
  }
}

/** Copies programs to a folder of their own, to be first in PATH. Throws a UsageError for one that cannot be read. */
export function makeToolFolder(files: readonly string[], base = tmpdir()): ToolFolder {
  removeOrphans(base);
  const folder = mkdtempSync(path.join(base, `plugpull-tools-${process.pid}-`));
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
