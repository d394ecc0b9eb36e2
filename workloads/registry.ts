/** All workloads: a new one is one line here. */
import { bank } from './bank.js';
import { kv } from './kv.js';
import { loadedModule, loadModule } from './load-module.js';
import { queue } from './queue.js';
import { schema } from './schema.js';
import { stlMap } from './stl-map.js';
import { textIndex } from './text-index.js';
import { threadsWorkload } from './threads.js';
import type { Workload } from './workload.js';

export const workloads: readonly Workload[] = [bank, kv, queue, schema, stlMap, textIndex, threadsWorkload];

/** Is this the path of a user's module, and not the name of one of ours? */
export function isWorkloadPath(nameOrPath: string): boolean {
  return /[/\\.]/.test(nameOrPath);
}

/** One of ours by its name, or a user's that was loaded before by its path. */
export function workloadByName(nameOrPath: string): Workload | undefined {
  return workloads.find((workload) => workload.name === nameOrPath) ?? loadedModule(nameOrPath);
}

/**
 * One of ours by its name, or a user's by the path of its module (`./counter.ts`, `/home/me/counter.mjs`).
 * Throws an Error that says what there is, or what the module lacks.
 */
export async function loadWorkload(nameOrPath: string): Promise<Workload> {
  const known = workloadByName(nameOrPath);
  if (known !== undefined) return known;
  const names = workloads.map(({ name }) => name);
  if (isWorkloadPath(nameOrPath)) return loadModule(nameOrPath, names);
  throw new Error(
    `there is no workload "${nameOrPath}"; there are: ${names.join(', ')}, and the path of a module`,
  );
}
