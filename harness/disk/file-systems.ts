/** The file systems under power cuts. A new one is a file in fs/ and a name here, and nothing else. */
import { truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { loadExeca } from '../core/execa.js';
import { UnavailableError, UsageError } from '../core/errors.js';
import { btrfs } from './fs/btrfs.js';
import { ext4 } from './fs/ext4.js';
import { f2fs } from './fs/f2fs.js';
import type { FileSystemKind, Layout } from './fs/kind.js';
import { asIs } from './fs/kind.js';
import { xfs } from './fs/xfs.js';

const kinds: Record<string, FileSystemKind> = { ext4, xfs, btrfs, f2fs };
const all = Object.values(kinds);

/** Those that every guest's kernel has. */
export const guestFileSystemNames = Object.keys(kinds);
/** Those that a machine's own kernel has, as a rule. */
export const fileSystemNames = guestFileSystemNames.filter((name) => kinds[name]?.guestsOnly !== true);

export const canClone = (type: string): boolean => kinds[type]?.clones === true;

/** How many crash states of one recording a kernel can have mounted at once. @param release of the running kernel */
export function mountsAtOnce(type: string, release = os.release()): number {
  return kinds[type]?.mountsAtOnce?.(release) ?? Infinity;
}

/** Is a line of the kernel's log about a file system? */
export const isLogged = (line: string): boolean => all.some(({ logged }) => logged.test(line));

/** Does it call one corrupt? */
export const tellsCorruption = (line: string): boolean => all.some(({ corruption }) => corruption.test(line));

/** Where things lie in an empty image. */
export async function layoutOf(type: string, image: string): Promise<Layout> {
  return (await kinds[type]?.layout?.(image)) ?? { regions: [], physical: asIs };
}

/** Programs that make a file system, and the packages that have them. */
export function makers(): { name: string; program: string; pkg: string }[] {
  return fileSystemNames.flatMap((name) => {
    const { mkfs: [program] = [], pkg = '' } = kinds[name] ?? {};
    return program === undefined ? [] : [{ name, program, pkg }];
  });
}

export interface FileSystem {
  /** As it was asked for, e.g. `ext4:data=writeback`: its name in reports. */
  name: string;
  type: string;
  bytes: number;
  mkfs: string[];
  /** Comma-separated, for mount. */
  options: string;
  repair: readonly (readonly string[])[];
  pkg: string;
  /** Its states can be shown on a zram device, and are more quickly shown there. */
  zram: boolean;
  /** Options that were asked for, beside those of every image. */
  asked: { mount: string[]; mkfs: string[] };
}

/**
 * `NAME[:MOUNT-OPTIONS[:MKFS-OPTIONS]]`; mount options are joined by `+` (a comma separates file systems), mkfs options
 * by spaces: `ext4:data=writeback+noatime`, `ext4::-O ^has_journal`.
 */
export function parseFileSystem(spec: string): FileSystem {
  const [name = '', mount = '', ...rest] = spec.split(':');
  const kind = kinds[name];
  if (kind === undefined) {
    throw new UsageError(
      `there is no file system "${name}"`,
      `there are: ${guestFileSystemNames.join(', ')}`,
    );
  }
  const given = mount.split('+').filter((option) => option !== '');
  if (given.some((option) => /\s/.test(option))) {
    throw new UsageError(
      `--fs ${spec}: mount options have no spaces`,
      'join them by +: ext4:data=writeback+noatime',
    );
  }
  const mkfs = rest
    .join(':')
    .split(' ')
    .filter((word) => word !== '');
  return {
    name: spec,
    type: kind.type,
    bytes: kind.bytes,
    mkfs: [...kind.mkfs, ...mkfs],
    options: [...kind.mount, ...given].join(','),
    repair: kind.repair,
    pkg: kind.pkg,
    // With options of the user's own its blocks may be smaller than zram's sectors.
    zram: kind.zram === true && mkfs.length === 0,
    asked: { mount: given, mkfs },
  };
}

/** Makes a sparse image. Throws as `makeFileSystem` does. */
export async function makeImage(fs: FileSystem, image: string): Promise<void> {
  await writeFile(image, '');
  await truncate(image, fs.bytes);
  await makeFileSystem(fs, image);
}

/**
 * Makes a file system on a device or in a file; it takes all, or the first `bytes` bytes. Throws UnavailableError where the
 * program is missing, UsageError where it refuses its options.
 */
export async function makeFileSystem(fs: FileSystem, device: string, bytes?: number): Promise<void> {
  const [program = '', ...args] = fs.mkfs;
  const { before = [], after = [] } = bytes === undefined ? {} : (kinds[fs.type]?.sized(bytes) ?? {});
  const { execa } = await loadExeca();
  const made = await execa(program, [...args, ...before, device, ...after], {
    reject: false,
    timeout: 60_000,
    env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
  });
  if (made.code === 'ENOENT') {
    throw new UnavailableError(`${program} is not installed`, `apt-get install ${fs.pkg}`);
  }
  if (made.exitCode !== 0) {
    throw new UsageError(`--fs ${fs.name}: ${program} failed: ${made.stderr.trim().split('\n')[0] ?? ''}`);
  }
}
