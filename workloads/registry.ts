/** All workloads: a new one is one line here. */
import { bank } from './bank.js';
import { kv } from './kv.js';
import { loadModule } from './load-module.js';
import { queue } from './queue.js';
import { schema } from './schema.js';
import { stlMap } from './stl-map.js';
import { textIndex } from './text-index.js';
import type { Workload } from './workload.js';

export const workloads: readonly Workload[] = [bank, kv, queue, stlMap, schema, textIndex];

export function workloadByName(name: string): Workload | undefined {
  return workloads.find((workload) => workload.name === name);
}

/**
 * One of ours by its name, or a user's by the path of its module (`./counter.ts`, `/home/me/counter.mjs`).
 * Throws an Error that says what there is, or what the module lacks.
 */
export async function loadWorkload(nameOrPath: string): Promise<Workload> {
  const known = workloadByName(nameOrPath);
  if (known !== undefined) return known;
  if (!/[/\\.]/.test(nameOrPath)) {
    const names = workloads.map(({ name }) => name).join(', ');
    throw new Error(`there is no workload "${nameOrPath}"; there are: ${names}, and the path of a module`);
  }
  return loadModule(nameOrPath);
}
