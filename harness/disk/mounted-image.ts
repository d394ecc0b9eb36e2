/** An image mounted for a moment, in the private mount namespace. */
import { mkdirSync } from 'node:fs';
import { PlugpullError } from '../core/errors.js';
import { lazilyUnmount } from '../rigs/scratch.js';
import type { FileSystem } from './file-systems.js';
import { Hung, LineProcess, quoted } from './line-process.js';
import { mountLine } from './recorded-mount.js';

/** A mount that takes longer than this hangs: images are small. */
export const mountMillis = 60_000;

/** What came of it: what `work` gave, or why the kernel refused, in words. */
export type Mounted<T> = { result: T } | { refused: string };

/** @param folder where it is mounted; made if it is not there. Rejects for failures of our own, and where `work` does. */
export async function whileMounted<T>(
  image: string,
  folder: string,
  fs: Pick<FileSystem, 'type' | 'options'>,
  work: () => Promise<T>,
): Promise<Mounted<T>> {
  mkdirSync(folder, { recursive: true });
  const hand = await LineProcess.start('hand');
  try {
    const device = await hand.ask(`attach ${quoted(image)}`);
    try {
      await hand.ask(mountLine(device, folder, fs), mountMillis);
    } catch (error) {
      return { refused: refusal(error) };
    }
    return { result: await work() };
  } finally {
    await hand.close();
    lazilyUnmount(folder);
  }
}

/** Why a state was not mounted. Rethrows what is no refusal: our own process has failed. */
export function refusal(error: unknown, millis = mountMillis): string {
  if (error instanceof Hung) return `mounting did not end in ${millis / 1000} s`;
  if (error instanceof PlugpullError) throw error;
  return (error as Error).message;
}
