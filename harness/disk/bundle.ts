/** A crash state of a real file system in one file, and how it is shown again on another machine. */
import { execa } from 'execa';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { UsageError } from '../core/errors.js';
import { promiseOf, type Target } from '../core/target.js';
import type { Verdict } from '../core/verdict.js';
import type { Judgement } from '../oracle/judge.js';
import { readBundle, writeBundle, type Bundle } from '../store/bundle.js';
import type { SubjectCheck } from '../subjects/subject.js';
import { createChecker } from './checker.js';
import { diskProgram, LineProcess } from './line-process.js';
import { dataFolder } from './recording.js';
import { unmountable } from './state-source.js';
import { judgeState, type AckedRange } from './verdict.js';

export const diskStateSchema = 'plugpull.disk-state/1';
const stateEntry = 'state.trace';

export interface DiskState {
  schema: typeof diskStateSchema;
  version: string;
  target: Target;
  seed: number;
  /** As given to --fs; the kernel's name of it; options of its mount. */
  fs: { name: string; type: string; options: string };
  acked: AckedRange;
  verdict: Verdict;
  explanation: string;
  /** The kernel of the guest in which it was found, as of --kernel; none: the machine's own. */
  kernel?: string;
  /** What exactly ran in that guest. */
  guest?: Record<string, unknown>;
}

/** @param state file that `plugpull-disk explore` saved */
export function writeDiskBundle(file: string, manifest: DiskState, state: string): void {
  writeBundle(file, { manifest, files: new Map([[stateEntry, readFileSync(state)]]) });
}

const shape = z.looseObject({
  schema: z.literal(diskStateSchema),
  target: z.looseObject({ kind: z.enum(['backend', 'command']), id: z.string() }),
  seed: z.number().int(),
  fs: z.object({
    name: z.string(),
    type: z.enum(['ext4', 'xfs', 'btrfs', 'f2fs']),
    options: z.string().regex(/^[\w=,.:+-]*$/),
  }),
  acked: z.object({ first: z.number().int(), last: z.number().int() }),
  verdict: z.string(),
  kernel: z
    .string()
    .regex(/^[\w.+-]+$/)
    .optional(),
  guest: z.record(z.string(), z.unknown()).optional(),
});

/** The crash state in a bundle, or null if the bundle holds something else. Throws UsageError if it is damaged. */
export function asDiskState(file: string, bundle: Bundle): { manifest: DiskState; state: Buffer } | null {
  if ((bundle.manifest as { schema?: unknown } | null)?.schema !== diskStateSchema) return null;
  const parsed = shape.safeParse(bundle.manifest);
  const state = bundle.files.get(stateEntry);
  if (!parsed.success || state === undefined)
    throw new UsageError(`the bundle ${file} is not a whole crash state`);
  return { manifest: bundle.manifest as DiskState, state };
}

export function readDiskBundle(file: string): { manifest: DiskState; state: Buffer } | null {
  return asDiskState(file, readBundle(file));
}

/** Makes the disk again, mounts it with the running kernel, recovers and checks. Needs a private mount namespace. */
export async function replayDiskState({
  manifest,
  state,
}: {
  manifest: DiskState;
  state: Buffer;
}): Promise<Judgement> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-replay-'));
  const file = path.join(folder, 'state');
  const image = path.join(folder, 'image');
  const mount = path.join(folder, 'mount');
  mkdirSync(mount);
  const { fs, target, seed, acked } = manifest;
  const checker = createChecker(target, seed, folder);
  try {
    writeFileSync(file, state);
    await execa(diskProgram(), ['restore', file, image]);
    const hand = await LineProcess.start('hand');
    try {
      const device = await hand.ask(`attach ${image}`);
      const check = await hand
        .ask(`mount ${device} ${mount} ${fs.type} ${fs.options === '' ? '-' : fs.options}`)
        .then(
          () => checker.check(path.join(mount, dataFolder), acked.last),
          (error: unknown) => refused((error as Error).message),
        );
      return judgeState(acked, [check], promiseOf(target));
    } finally {
      await checker.close();
      await hand.close();
    }
  } finally {
    await checker.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function refused(why: string): SubjectCheck {
  const end = { exit: null, signal: null, stopped: null };
  return {
    outcome: 'failed',
    state: null,
    reason: `${unmountable}: ${why}`,
    log: '',
    end,
    millis: 0,
  };
}
