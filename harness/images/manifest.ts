/** image.json: what an image is made of, and the checksums that it is held against before each use. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { checksumsOf, checksumsSchema, damageOf } from './checksums.js';

export const manifestName = 'image.json';

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
  files: checksumsSchema,
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
  const files = await checksumsOf(folder, await filesIn(folder));
  const manifest: ImageManifest = { schema: 'plugpull.image/1', ...about, files };
  await writeFile(path.join(folder, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Holds every file against its checksum. Throws BrokenImageError. */
export async function verifyFiles(folder: string, { id, files }: ImageManifest): Promise<void> {
  const damage = await damageOf(folder, files);
  if (damage !== null) throw new BrokenImageError(id, damage);
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && entry.name !== manifestName)
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}
