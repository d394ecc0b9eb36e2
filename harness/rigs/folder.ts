/** Rig `folder`: a plain folder. What is killed loses the process; the page cache survives. */
import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { native } from '../../native/index.js';
import { UsageError } from '../core/errors.js';
import { filesEqual } from './compare.js';
import type { Place, Rig } from './rig.js';

export class FolderRig implements Rig {
  readonly name = 'folder';
  private root: string | null = null;

  /** @param base an existing folder; the rig works in a new folder inside it and removes that at the end */
  constructor(private readonly base: string) {}

  async prepare(): Promise<void> {
    checkUsable(this.base);
    this.root = mkdtempSync(path.join(this.base, 'plugpull-'));
    return Promise.resolve();
  }

  place(slot: number): Place {
    if (this.root === null) throw new Error('the rig is not prepared');
    return new FolderPlace(path.join(this.root, `slot-${slot}`));
  }

  async close(): Promise<void> {
    if (this.root !== null) rmSync(this.root, { recursive: true, force: true });
    this.root = null;
    return Promise.resolve();
  }
}

class FolderPlace implements Place {
  readonly dir: string;

  constructor(private readonly root: string) {
    this.dir = path.join(root, 'data');
    this.clear();
  }

  keep(name: string): string {
    const copy = this.kept(name);
    rmSync(copy, { recursive: true, force: true });
    native.copyFolder(this.dir, copy);
    return copy;
  }

  restore(name: string): void {
    rmSync(this.dir, { recursive: true, force: true });
    native.copyFolder(this.kept(name), this.dir);
  }

  compare(name: string, ignore: ((file: string) => boolean) | null): string | null {
    return filesEqual(this.kept(name), this.dir, ignore);
  }

  clear(): void {
    rmSync(this.root, { recursive: true, force: true });
    mkdirSync(this.dir, { recursive: true });
  }

  private kept(name: string): string {
    return path.join(this.root, `kept-${name}`);
  }
}

/** Tells a folder that cannot be used apart, by name, before a campaign begins in it. */
export function checkUsable(folder: string): void {
  try {
    readdirSync(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    throw new UsageError(`cannot use the folder ${folder}: ${code}`, 'make it, or name another with --dir');
  }
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    rmSync(mkdtempSync(path.join(folder, 'plugpull-')), { recursive: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    throw new UsageError(
      `cannot write in the folder ${folder}: ${code}`,
      'name a writable folder with --dir',
    );
  }
}
