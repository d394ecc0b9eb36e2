/** Where rig `disk` lives: under the running kernel where that can be, else inside user-mode Linux. */
import { DiskEngine, type DiskOptions } from '../campaign/disk-engine.js';
import type { Engine } from '../campaign/context.js';
import type { Target } from '../core/target.js';
import { whyNoDisk } from '../rigs/disk.js';
import { userModeLinux } from '../rigs/uml.js';
import { UmlDiskEngine } from './engine.js';

/** @param uml true: inside user-mode Linux; false: never; undefined: where this machine lacks what it needs otherwise */
export function prefersUml(uml: boolean | undefined): boolean {
  return uml ?? (whyNoDisk() !== null && userModeLinux() !== null);
}

export function diskEngine(
  targets: readonly Target[],
  options: DiskOptions,
  uml: boolean | undefined,
): Engine {
  return prefersUml(uml) ? new UmlDiskEngine(targets, options) : new DiskEngine(targets, options);
}
