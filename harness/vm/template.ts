/** A guest that has booted once, as files that many can be restored from. */
import type { VmImage } from '../images/image.js';
import type { VmConfig } from './config.js';

export interface Template {
  /** Names all that it was made of. */
  key: string;
  folder: string;
  config: VmConfig;
  /** What ran it: a state can be loaded by the same QEMU only. */
  qemu: { program: string; version: string; env: NodeJS.ProcessEnv };
  image: VmImage;
  /** How long the boot took to the agent's first answer. */
  bootMillis: number;
}

/**
 * Boots the image once and keeps its state, or finds what was kept. Locked against others that make the same; those that
 * were not used for long are removed. Rejects with a VmError where the guest does not boot.
 */
export declare function ensureTemplate(
  image: VmImage,
  config: Partial<VmConfig>,
  progress: (text: string) => void,
): Promise<Template>;
