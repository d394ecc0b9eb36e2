/** What rig `disk` must know of a kind of file system. */
import { loadExeca } from '../../core/execa.js';

export const mib = 1024 ** 2;

/** A part of the disk that is the file system's own. */
export interface Region {
  name: string;
  offset: number;
  length: number;
}

/** Where things lie on a disk. */
export interface Layout {
  regions: readonly Region[];
  /** From where FIEMAP says that an extent lies to where it does. */
  physical: (offset: number) => number;
}

export interface FileSystemKind {
  /** The kernel's name of it. */
  type: string;
  bytes: number;
  mkfs: readonly string[];
  /** What mkfs is told for a file system that does not take the whole device: before and after the device's name. */
  sized(bytes: number): { before?: string[]; after?: string[] };
  /** Options of every mount: of the recorded one and of those of crash states. */
  mount: readonly string[];
  /** What a user would try when a state cannot be mounted, one after the other; commands over the image file. */
  repair: readonly (readonly string[])[];
  pkg: string;
  /** Few machines' own kernels have it: guests' have. */
  guestsOnly?: boolean;
  /** It can clone files. */
  clones: boolean;
  /** How many crash states of one recording a kernel can have mounted at once; none given: as many as wanted. */
  mountsAtOnce?: (release: string) => number;
  /** It is mounted more quickly from a zram device than from a loop device, and can be: zram's sectors have 4 KiB. */
  zram?: boolean;
  /** How lines of the kernel's log name it. */
  logged: RegExp;
  /** How it says there that what is on the disk cannot be. */
  corruption: RegExp;
  /** Of an empty image; none given: nothing of it can be named. */
  layout?: (image: string) => Promise<Layout>;
}

/** No translation. */
export const asIs = (offset: number): number => offset;

/** Output of a program that only makes names better: without it, places are called metadata. */
export async function ask(program: string, ...args: string[]): Promise<string> {
  const env = { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const { execa } = await loadExeca();
  const asked = await execa(program, args, { reject: false, timeout: 20_000, env });
  return asked.exitCode === 0 ? asked.stdout : '';
}
