/** What a template consists of on disk. */
import type { VmImage } from '../images/image.js';
import type { VmConfig } from './config.js';
import type { QemuProgram } from './process.js';

/** A guest that has booted once, as files that many can be restored from. */
export interface Template {
  /** Names all that it was made of. */
  key: string;
  folder: string;
  config: VmConfig;
  /** What ran it: a state can be loaded by the same QEMU only. */
  qemu: QemuProgram;
  image: VmImage;
  /** The payload's squashfs. */
  payload: string;
  /** How long the boot took to the agent's first answer. */
  bootMillis: number;
}

/** The guest's memory as it was. Machines map it and keep their changes to themselves. */
export const memoryFile = 'memory';
/** All else: devices and processor. */
export const stateFile = 'state';
/** An empty image, laid over a further disk that is shorter than the guest believes. */
export const emptyFile = 'empty.qcow2';
/** Written last, with the checksums of the others. It is open while the template is used. */
export const manifestFile = 'template.json';
