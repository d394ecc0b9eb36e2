/** A finding's crash state once more, in a fresh guest of the kernel under which it was found. */
import { execa } from 'execa';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promiseOf } from '../core/target.js';
import type { DiskState } from '../disk/bundle.js';
import { parseFileSystem } from '../disk/file-systems.js';
import { diskProgram } from '../disk/line-process.js';
import { judgeState } from '../disk/verdict.js';
import { judge, type Judgement } from '../oracle/judge.js';
import { differenceOf } from './guest-facts.js';
import { Guests } from './guests.js';
import { recoverInGuest } from './second-guest.js';

/** Needs no privilege. @param progress is told of what takes long */
export async function replayInGuest(
  { manifest, state }: { manifest: DiskState; state: Buffer },
  kernel: string,
  progress: (text: string) => void,
): Promise<Judgement> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-replay-'));
  try {
    const guests = await Guests.open(kernel, folder, progress);
    const difference = differenceOf(manifest.guest ?? {}, guests.facts);
    if (difference !== null) progress(`warning: ${difference}`);
    const saved = path.join(folder, 'state');
    const disk = path.join(folder, 'disk');
    writeFileSync(saved, state);
    await execa(diskProgram(), ['restore', saved, disk]);
    truncateSync(disk, guests.template.config.diskBytes);
    const { target, seed, acked, fs } = manifest;
    const { checks, difference: between } = await recoverInGuest(guests, {
      target,
      seed,
      fs: parseFileSystem(fs.name),
      disk,
      acked: acked.last,
    });
    const judged = judgeState(acked, checks, promiseOf(target));
    if (judged.verdict !== 'held' || between === undefined) return judged;
    const [first, second] = checks;
    const seen = { ...(first && { first }), ...(second && { second }), difference: between };
    return judge({ acked: acked.last, promise: promiseOf(target), crash: 'in-flight', ...seen });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
