/** Can a file system be made and mounted here, with the options that were asked for? */
import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { PlugpullError, UnavailableError, UsageError } from '../core/errors.js';
import { removeAtOnce } from '../rigs/scratch.js';
import { makeImage, type FileSystem } from './file-systems.js';
import { whileMounted } from './mounted-image.js';

/** How the kernel says that it does not take an option, of the mount or of the file system. */
const badOption = 'Invalid argument';

/** Throws UsageError for an option that is wrong, by name, and UnavailableError where this machine cannot do it. */
export async function tryFileSystem(fs: FileSystem, parent: string): Promise<void> {
  const folder = mkdtempSync(path.join(parent, 'try-'));
  const image = path.join(folder, 'image');
  const refusalOf = async (options: string): Promise<string | null> => {
    const mounted = await whileMounted(image, path.join(folder, 'mount'), { ...fs, options }, () =>
      Promise.resolve(),
    );
    return 'refused' in mounted ? mounted.refused : null;
  };
  try {
    await makeImage(fs, image);
    const refused = await refusalOf(fs.options);
    if (refused === null) return;
    if (refused.includes(badOption)) await blame(fs, refusalOf, refused);
    throw new UnavailableError(`--fs ${fs.name}: ${refused}`, `modprobe ${fs.type}, or leave it out`);
  } catch (error) {
    if (error instanceof PlugpullError) throw error;
    throw new UnavailableError(
      `--fs ${fs.name}: ${(error as Error).message}`,
      'give loop devices to the container, or use --uml',
    );
  } finally {
    removeAtOnce(folder);
  }
}

/** Throws UsageError if an option that was asked for is to blame. */
async function blame(
  { name, options, asked }: FileSystem,
  refusalOf: (options: string) => Promise<string | null>,
  refused: string,
): Promise<void> {
  const ours = options.split(',').filter((one) => !asked.mount.includes(one));
  const bad: string[] = [];
  for (const option of asked.mount) {
    if ((await refusalOf([...ours, option].join(','))) !== null) bad.push(option);
  }
  const together = bad.length > 0 ? bad : asked.mount;
  if (together.length > 0) {
    const plural = together.length > 1 ? 's' : '';
    throw new UsageError(
      `--fs ${name}: the kernel does not take the mount option${plural} ${together.join(', ')}: ${refused}`,
    );
  }
  if (asked.mkfs.length === 0) return;
  throw new UsageError(
    `--fs ${name}: the kernel does not mount what mkfs makes with ${asked.mkfs.join(' ')}: ${refused}`,
  );
}
