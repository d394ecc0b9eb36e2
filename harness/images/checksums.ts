/** Files of the cache are held against their checksums before they are used. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { storageError } from '../core/errors.js';

/** By name in their folder. */
export type Checksums = Record<string, { bytes: number; sha256: string }>;
export const checksumsSchema = z.record(z.string(), z.object({ bytes: z.number(), sha256: z.string() }));

/** When which files were found to be right: they are not read again while they have not changed. */
const verifiedName = '.verified.json';

export async function checksumsOf(folder: string, names: readonly string[]): Promise<Checksums> {
  const sums: Checksums = {};
  for (const name of names) {
    const file = path.join(folder, name);
    sums[name] = { bytes: statSync(file).size, sha256: await sha256(file) };
  }
  return sums;
}

/** What is wrong with the files of a folder, in words; null: nothing. */
export async function damageOf(folder: string, sums: Checksums): Promise<string | null> {
  const memo = path.join(folder, verifiedName);
  const known = await readMemo(memo);
  const seen: Record<string, string> = {};
  for (const [name, { bytes, sha256: right }] of Object.entries(sums)) {
    const file = path.join(folder, name);
    let stamp: string;
    try {
      stamp = stampOf(file);
    } catch (error) {
      return `${name}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`;
    }
    seen[name] = `${stamp} ${right}`;
    if (known[name] === seen[name]) continue;
    const { size } = statSync(file);
    if (size !== bytes) return `${name} has ${size} bytes and not ${bytes}`;
    if ((await sha256(file)) !== right) return `the checksum of ${name} is wrong`;
  }
  if (Object.entries(seen).every(([name, stamp]) => known[name] === stamp)) return null;
  // Only saves time: a cache that cannot be written to is read each time.
  await writeFile(memo, JSON.stringify(seen)).catch(() => undefined);
  return null;
}

/**
 * Changes with every write to the file, even one that sets its time of change back, and with every boot: a machine that lost its
 * power can have lost what the file held.
 */
function stampOf(file: string): string {
  const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
  return [bootId(), ino, size, mtimeNs, ctimeNs].join(' ');
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

async function readMemo(file: string): Promise<Record<string, string>> {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return {};
  }
}

/** Throws what storageError gives. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), hash);
  } catch (error) {
    throw storageError(error, file);
  }
  return hash.digest('hex');
}
