import type { Mirrors } from './apt.js';
import type { ImageManifest } from './manifest.js';
export async function bringQemu(
  _release: string,
  _mirrors: Mirrors,
  _work: string,
  _out: string,
  _progress: (text: string) => void,
  _signal?: AbortSignal,
): Promise<NonNullable<ImageManifest['qemu']> | null> {
  return Promise.resolve(null);
}
