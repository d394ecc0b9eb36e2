/** What comes of a state that crashed the kernel of user-mode Linux: shown to a fresh one, it is a finding or nothing. */
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { NewFinding } from '../campaign/context.js';
import { GuestDied, Machine } from './machine.js';
import { shownFolder, type ConfirmJob, type Showing } from './protocol.js';

export interface CrashOptions {
  /** The shared folder of the machine that died. */
  folder: string;
  death: GuestDied;
  /** Number of the target on this file system in the campaign. */
  index: number;
  /** An existing folder, for the fresh machine and for what is kept. */
  base: string;
  cpu: number | null;
  stopping: () => boolean;
  graceMillis: number;
}

/** The finding, or null where no state crashes a fresh kernel. */
export async function confirmCrash(options: CrashOptions): Promise<NewFinding | null> {
  for (const job of suspects(options.folder)) {
    const machine = await Machine.boot({ folder: options.base, cpu: options.cpu });
    let bundle: string | null = null;
    try {
      await machine.work(
        job,
        (answer) => {
          if (answer.type === 'saved') bundle = answer.bundle;
        },
        options.stopping,
        options.graceMillis,
      );
    } catch (error) {
      if (!(error instanceof GuestDied)) throw error;
      if (error.panicked) return finding(options, job, error, keep(bundle, options.folder));
    } finally {
      await machine.close();
    }
  }
  return null;
}

/** States that were being shown when the kernel crashed. */
function suspects(folder: string): ConfirmJob[] {
  const notes = path.join(folder, shownFolder);
  if (!existsSync(notes)) return [];
  return readdirSync(notes)
    .filter((name) => name.startsWith('showing-'))
    .map((name) => readFileSync(path.join(notes, name), 'utf8'))
    .filter((text) => text !== '')
    .map((text) => ({ kind: 'confirm', ...(JSON.parse(text) as Showing) }));
}

/** The fresh machine's folder ends with it. */
function keep(bundle: string | null, folder: string): string | null {
  if (bundle === null || !existsSync(bundle)) return null;
  const kept = path.join(folder, path.basename(bundle));
  copyFileSync(bundle, kept);
  return kept;
}

function finding(
  { death, index }: CrashOptions,
  { target, seed, fs, state, acked }: ConfirmJob,
  again: GuestDied,
  bundle: string | null,
): NewFinding {
  return {
    trial: index,
    target,
    fault: 'cut',
    rig: 'disk',
    fs: fs.name,
    verdict: 'unrecoverable',
    seed,
    plan: { mode: 'state', phase: 'run', choices: `${state.epoch}/${state.choices}` },
    acked,
    recovered: null,
    explanation: `unrecoverable: ${again.message}; a fresh kernel crashed at the same state`,
    afterCrash: null,
    logs: { kernel: `${death.console}\n\nThe fresh kernel:\n${again.console}` },
    ...(bundle === null ? {} : { bundle }),
  };
}
