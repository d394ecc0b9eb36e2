/** The folder that a machine and the controller both see. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { UnavailableError } from '../core/errors.js';
import { startOf } from '../core/process-start.js';

const prefix = 'plugpull-uml-';

/** A new folder that the kernel's command line can name. Where nobody else clears up, its name tells whose it is. */
export function sharedFolder(base: string | null): string {
  const own = `${prefix}${process.pid}-${startOf(process.pid) ?? 0}-`;
  for (const folder of [base, os.tmpdir(), '/tmp', '/dev/shm']) {
    if (folder === null || !/^[\w./-]+$/.test(folder)) continue;
    try {
      if (folder !== base) sweep(folder);
      return mkdtempSync(path.join(folder, own));
    } catch {
      continue;
    }
  }
  throw new UnavailableError(
    'user-mode Linux finds no folder that it can write in',
    'let TMPDIR name one, of letters, digits and . _ - /',
  );
}

/** Removes what controllers that were killed have left. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    const owner = /^plugpull-uml-(\d+)-(\d+)-/.exec(name);
    if (owner === null || startOf(Number(owner[1])) === owner[2]) continue;
    rmSync(path.join(folder, name), { recursive: true, force: true });
  }
}
