/** A crash state of a real file system in one file, and how it is shown again on another machine. */
import { execa } from 'execa';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { UsageError } from '../core/errors.js';
import { promiseOf, type Target } from '../core/target.js';
import type { Verdict } from '../core/verdict.js';
import type { Judgement } from '../oracle/judge.js';
import { readBundle, writeBundle, type Bundle } from '../store/bundle.js';
import { ignoredBy } from '../subjects/ignored.js';
import { createChecker } from './checker.js';
import { guestFileSystemNames, parseFileSystem } from './file-systems.js';
import { diskProgram } from './line-process.js';
import { whileMounted } from './mounted-image.js';
import { recover } from './recover.js';
import { dataFolder } from './recording.js';
import { repair } from './repair.js';
import type { Recoveries } from './show-again.js';
import { unmountable, unrecovered } from './state-source.js';
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
  /** What shows it; none: one recovery. */
  recoveries?: Recoveries;
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
    type: z.enum(guestFileSystemNames),
    options: z.string().regex(/^[\w=,.:+-]*$/),
  }),
  acked: z.object({ first: z.number().int(), last: z.number().int() }),
  recoveries: z.object({ times: z.number().int().min(1).max(2), sameBytes: z.boolean() }).optional(),
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

/**
 * Makes the disk again, mounts it with the running kernel, after repair where it must be, recovers as often as it takes, and
 * checks. Needs a private mount namespace. @param folder an existing folder for all that it needs
 */
export async function replayDiskState(
  { manifest, state }: { manifest: DiskState; state: Buffer },
  folder: string,
): Promise<Judgement> {
  const saved = path.join(folder, 'state');
  const image = path.join(folder, 'image');
  const mount = path.join(folder, 'mount');
  const { fs, target, seed, acked, recoveries = { times: 1, sameBytes: false } } = manifest;
  const dir = path.join(mount, dataFolder);
  const checker = createChecker(target, seed, folder);
  try {
    writeFileSync(saved, state);
    await execa(diskProgram(), ['restore', saved, image]);
    const options = { ...recoveries, ignore: ignoredBy(target), folder };
    const mounted = await whileMounted(image, mount, fs, () => recover(checker, dir, acked.last, options));
    if ('result' in mounted) return judgeState(acked, mounted.result, promiseOf(target));
    const refused = unrecovered(`${unmountable}: ${mounted.refused}`);
    const kind = { ...fs, repair: parseFileSystem(fs.name).repair };
    const { check } = await repair(kind, saved, mount, refused.reason, () =>
      checker.check(dir, acked.last).finally(() => checker.refresh()),
    );
    return judgeState(acked, [check ?? refused], promiseOf(target));
  } finally {
    await checker.close();
  }
}
