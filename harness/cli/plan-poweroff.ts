/** From flags to the engine that cuts the power of guests; null where nobody asked for it. */
import { defaultDiskCommits } from '../campaign/disk-engine.js';
import { defaultKernel, PowerOffEngine } from '../campaign/poweroff-engine.js';
import { UsageError } from '../core/errors.js';
import type { Target } from '../core/target.js';
import { guestFileSystemNames } from '../disk/file-systems.js';
import { kernelNames } from '../images/recipe.js';
import { powerOffModes, recoverPlaces } from '../poweroff/modes.js';
import type { RunFlags } from './flags.js';

/** @param shownByKill the targets without the planted bugs that only a loss of writes can show */
export function powerOffEngine(
  flags: RunFlags,
  targets: Target[],
  shownByKill: Target[],
): { engine: PowerOffEngine; wantsMounts: boolean } {
  const modes = choose('--power-off-mode', flags.powerOffMode ?? powerOffModes, powerOffModes);
  const [recover = 'guest'] = choose('--recover', [flags.recover ?? 'guest'], recoverPlaces);
  const kernels = flags.kernel ?? [defaultKernel];
  choose(
    '--kernel',
    kernels.filter((name) => !name.startsWith('linux-image-')),
    kernelNames(),
  );
  const onlyKept = modes.every((mode) => mode === 'kept');
  const engine = new PowerOffEngine(onlyKept ? shownByKill : targets, {
    kernels,
    fileSystems: flags.fs ?? guestFileSystemNames,
    modes,
    recover,
    commits: flags.commits ?? defaultDiskCommits,
    states: flags.states ?? null,
    exhaustive: flags.exhaustive ?? false,
  });
  return { engine, wantsMounts: recover === 'host' && modes.includes('log') };
}

function choose<T extends string>(flag: string, wanted: readonly string[], all: readonly T[]): T[] {
  return wanted.map((name) => {
    const found = all.find((one) => one === name);
    if (found !== undefined) return found;
    throw new UsageError(`${flag}: there is no "${name}"`, `there are: ${all.join(', ')}`);
  });
}
