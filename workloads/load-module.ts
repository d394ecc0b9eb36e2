/** Workloads that are not ours, from modules named by their path. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Workload } from './workload.js';

const loaded = new Map<string, Workload>();

export function loadedModule(file: string): Workload | undefined {
  return loaded.get(path.resolve(file));
}

/**
 * Loads the module once; its default export must be a Workload with a name that is not `taken`.
 * Throws an Error that names the file and what is wrong.
 */
export async function loadModule(file: string, taken: readonly string[] = []): Promise<Workload> {
  const absolute = path.resolve(file);
  const known = loaded.get(absolute);
  if (known !== undefined) return known;
  if (!existsSync(absolute)) throw new Error(`there is no workload module ${absolute}`);
  let exported: unknown;
  try {
    exported = unwrap(await importAny(absolute));
  } catch (error) {
    throw new Error(`the workload module ${absolute} cannot be loaded: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const problem = problemOf(exported, taken);
  if (problem !== null) throw new Error(`the default export of ${absolute} is not a workload: ${problem}`);
  loaded.set(absolute, exported as Workload);
  return exported as Workload;
}

async function importAny(file: string): Promise<unknown> {
  if (!/\.[mc]?ts$/.test(file)) return import(pathToFileURL(file).href);
  const { tsImport } = await import('tsx/esm/api');
  return tsImport(pathToFileURL(file).href, import.meta.url);
}

/** The default export; one that went through CommonJS comes wrapped once more. */
function unwrap(module: unknown): unknown {
  const once = isObject(module) ? module.default : undefined;
  return isObject(once) && 'default' in once ? once.default : once;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** What a value lacks to be a Workload, or null. */
function problemOf(value: unknown, taken: readonly string[]): string | null {
  if (!isObject(value)) return `it is ${value === undefined ? 'missing' : typeof value}`;
  for (const field of ['name', 'summary', 'layout']) {
    if (typeof value[field] !== 'string' || value[field] === '')
      return `"${field}" must be a string that is not empty`;
  }
  if (taken.includes(value.name as string)) return `its name "${value.name as string}" is taken`;
  for (const method of ['initialise', 'start', 'read', 'model']) {
    if (typeof value[method] !== 'function') return `"${method}" must be a function`;
  }
  const { size, otherLayouts } = value;
  if (!isObject(size)) return '"size" must be an object';
  for (const field of ['heapBytes', 'items', 'changes']) {
    const number = size[field];
    if (!Number.isInteger(number) || (number as number) < 1)
      return `"size.${field}" must be a whole number above 0`;
  }
  if (
    otherLayouts !== undefined &&
    !(Array.isArray(otherLayouts) && otherLayouts.every((one) => typeof one === 'string'))
  ) {
    return '"otherLayouts" must be a list of strings';
  }
  return null;
}
