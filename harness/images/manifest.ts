/** image.json: what an image is made of, and the checksums that it is held against before each use. */
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { PlugpullError, storageError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';

export const manifestName = 'image.json';
/** When which files were found to be right: they are not read again while they have not changed. */
const verifiedName = '.verified.json';

const manifestSchema = z.object({
  schema: z.literal('plugpull.image/1'),
  id: z.string(),
  /** The kernel as it was asked for. */
  recipe: z.string(),
  digest: z.string(),
  rootDigest: z.string(),
  built: z.iso.datetime(),
  suite: z.string(),
  node: z.string(),
  kernel: z.object({ package: z.string(), version: z.string(), release: z.string() }),
  packages: z.record(z.string(), z.string()),
  /** A QEMU that came with the image; its files are in `files`. */
  qemu: z.object({ program: z.string(), version: z.string(), package: z.string() }).optional(),
  files: z.record(z.string(), z.object({ bytes: z.number(), sha256: z.string() })),
});
export type ImageManifest = z.infer<typeof manifestSchema>;

/** An image that must not be used as it is. */
export class BrokenImageError extends PlugpullError {
  override name = 'BrokenImageError';
  constructor(
    readonly id: string,
    readonly why: string,
  ) {
    super(
      `image ${id} is broken: ${why}`,
      exitCodes.ownFailure,
      `remove it and build it again: plugpull image rm ${id}`,
    );
  }
}

/** Throws BrokenImageError where there is none, or one that is damaged. Checksums are not looked at. */
export async function readManifest(folder: string): Promise<ImageManifest> {
  const id = path.basename(folder);
  let text: string;
  try {
    text = await readFile(path.join(folder, manifestName), 'utf8');
  } catch (error) {
    throw new BrokenImageError(id, `${manifestName}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`);
  }
  try {
    const manifest = manifestSchema.parse(JSON.parse(text));
    if (manifest.id !== id) throw new Error(`is of image ${manifest.id}`);
    return manifest;
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new BrokenImageError(id, `${manifestName}: ${why}`);
  }
}

/** Writes the manifest of a folder that has all files of an image, with their lengths and checksums. */
export async function writeManifest(
  folder: string,
  about: Omit<ImageManifest, 'files' | 'schema'>,
): Promise<void> {
  const files: ImageManifest['files'] = {};
  for (const name of await filesIn(folder)) {
    const file = path.join(folder, name);
    files[name] = { bytes: statSync(file).size, sha256: await sha256(file) };
  }
  const manifest: ImageManifest = { schema: 'plugpull.image/1', ...about, files };
  await writeFile(path.join(folder, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Holds every file against its checksum. Throws BrokenImageError. */
export async function verifyFiles(folder: string, manifest: ImageManifest): Promise<void> {
  const memo = path.join(folder, verifiedName);
  const known = await readMemo(memo);
  const seen: Record<string, string> = {};
  for (const [name, { bytes, sha256: right }] of Object.entries(manifest.files)) {
    const file = path.join(folder, name);
    const stamp = stampOf(manifest.id, name, file);
    seen[name] = `${stamp} ${right}`;
    if (known[name] === seen[name]) continue;
    const size = statSync(file).size;
    if (size !== bytes) throw new BrokenImageError(manifest.id, `${name} has ${size} bytes and not ${bytes}`);
    const is = await sha256(file);
    if (is !== right) throw new BrokenImageError(manifest.id, `the checksum of ${name} is wrong`);
  }
  if (Object.entries(seen).every(([name, stamp]) => known[name] === stamp)) return;
  // Only saves time: a cache that cannot be written to is read each time.
  await writeFile(memo, JSON.stringify(seen)).catch(() => undefined);
}

/** Changes with every write to the file, even one that sets its time of change back. */
function stampOf(id: string, name: string, file: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    throw new BrokenImageError(id, `${name}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`);
  }
}

async function readMemo(file: string): Promise<Record<string, string>> {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return {};
  }
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && entry.name !== manifestName)
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
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
