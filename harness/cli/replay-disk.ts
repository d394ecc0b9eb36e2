/** Shows a crash state of a real file system again with the running kernel; leaves nothing behind however it ends. */
import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { exitCodes } from '../core/exit-codes.js';
import { replayDiskState, type DiskState } from '../disk/bundle.js';
import type { Judgement } from '../oracle/judge.js';
import { removeAtOnce } from '../rigs/scratch.js';
import { dieWithStarter } from './private-mounts.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Needs a private mount namespace. */
export async function replayDisk(bundle: { manifest: DiskState; state: Buffer }): Promise<Judgement> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-replay-'));
  const clear = (): void => removeAtOnce(folder);
  const stop = (): never => process.exit(exitCodes.interrupted);
  process.once('exit', clear);
  for (const signal of signals) process.on(signal, stop);
  dieWithStarter(stop);
  try {
    return await replayDiskState(bundle, folder);
  } finally {
    for (const signal of signals) process.off(signal, stop);
    process.off('exit', clear);
    clear();
  }
}
