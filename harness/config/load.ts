/** Finds and reads the configuration file. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { UsageError } from '../core/errors.js';
import { configSchema, type Config } from './schema.js';

const names = ['plugpull.config.ts', 'plugpull.config.js', 'plugpull.config.json'];

/**
 * The configuration of a folder, or of the file named. Without one, the defaults.
 * Throws UsageError that names the file, the entry and what is wrong with it.
 */
export async function loadConfig(
  folder: string,
  named?: string,
): Promise<{ config: Config; file: string | null }> {
  const file = named === undefined ? find(folder) : path.resolve(folder, named);
  if (file === null) return { config: parse({}, 'the defaults'), file: null };
  if (!existsSync(file)) throw new UsageError(`there is no config file ${file}`);
  return { config: parse(await read(file), file), file };
}

function find(folder: string): string | null {
  return names.map((name) => path.join(folder, name)).find((file) => existsSync(file)) ?? null;
}

async function read(file: string): Promise<unknown> {
  try {
    if (file.endsWith('.json')) return JSON.parse(readFileSync(file, 'utf8')) as unknown;
    const { tsImport } = await import('tsx/esm/api');
    const module = (await tsImport(pathToFileURL(file).href, import.meta.url)) as { default?: unknown };
    return unwrap(module.default);
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

/** A default export that went through CommonJS comes wrapped once more. */
function unwrap(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'default' in value ? value.default : value;
}

export function parse(value: unknown, file: string): Config {
  const result = configSchema.safeParse(value);
  if (result.success) return result.data;
  throw new UsageError(
    `${file} is not a valid configuration:\n${z.prettifyError(result.error)}`,
    'see docs/configuration.md',
  );
}
