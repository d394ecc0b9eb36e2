/** Fills a file system but for a few bytes. The files lie beside the target's folder. */
import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { loadExeca } from '../core/execa.js';
import { PlugpullError, UnavailableError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { fillerFolder } from './room.js';

const block = 4096;

/** @param root the file system's root; afterwards about `leaveBytes` of data fit into it, for root too */
export async function fill(root: string, leaveBytes: number): Promise<void> {
  const folder = path.join(root, fillerFolder);
  mkdirSync(folder);
  const spare = path.join(folder, 'spare');
  const bulk = path.join(folder, 'bulk');
  if (leaveBytes > 0 && !(await reserve(spare, 0, leaveBytes))) return; // it is that full already
  const { bsize, bfree } = statfsSync(root);
  const smallest = Math.max(block, bsize);
  let filled = 0;
  // In ever smaller pieces: no file system tells how much of its free space data can have.
  for (let piece = roundUp((bsize * bfree) / 2); piece >= smallest;) {
    if (await reserve(bulk, filled, piece)) filled += piece;
    else piece = piece === smallest ? 0 : Math.max(smallest, roundUp(piece / 2));
  }
  rmSync(spare, { force: true });
}

/** False where there is no space for it. */
async function reserve(file: string, offset: number, length: number): Promise<boolean> {
  const args = ['--offset', String(offset), '--length', String(length), file];
  const { execa } = await loadExeca();
  const done = await execa('fallocate', args, { reject: false, timeout: 60_000 });
  if (done.exitCode === 0) return true;
  if (done.code === 'ENOENT') {
    throw new UnavailableError('fallocate is not installed', 'apt-get install util-linux');
  }
  if (done.stderr.includes('No space left')) return false;
  throw new PlugpullError(`cannot fill ${file}: ${done.stderr.trim()}`, exitCodes.ownFailure);
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / block) * block;
}
