/** The file systems under power cuts: how an image of each is made and mounted. A new one is an entry here and nothing else. */
import { execa } from 'execa';
import { truncate, writeFile } from 'node:fs/promises';
import { UnavailableError, UsageError } from '../core/errors.js';

const mib = 1024 ** 2;

interface FileSystemKind {
  type: string;
  bytes: number;
  mkfs: readonly string[];
  /** What mkfs is told for a file system that does not take the whole device: before and after the device's name. */
  sized(bytes: number): { before?: string[]; after?: string[] };
  /** Options of every mount: of the recorded one and of those of crash states. */
  mount: readonly string[];
  /** What a user would try when a state cannot be mounted; commands over the image file. */
  repair: readonly (readonly string[])[];
  pkg: string;
  /** Few machines' own kernels have it: guests' have. */
  guestsOnly?: boolean;
}

// Small, so that mounting is quick, and with small logs, since recovery takes as long as the log is.
const kinds: Record<string, FileSystemKind> = {
  ext4: {
    type: 'ext4',
    bytes: 64 * mib,
    mkfs: ['mkfs.ext4', '-q', '-F', '-b', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0,nodiscard'],
    sized: (bytes) => ({ after: [String(Math.floor(bytes / 4096))] }),
    // Background zeroing of inode tables would only be noise.
    mount: ['noinit_itable'],
    repair: [['e2fsck', '-f', '-y']],
    pkg: 'e2fsprogs',
  },
  xfs: {
    type: 'xfs',
    bytes: 300 * mib,
    // `--unsupported` allows the small log.
    mkfs: ['mkfs.xfs', '--unsupported', '-q', '-K', '-f', '-d', 'agcount=2', '-l', 'size=10m'],
    sized: (bytes) => ({ before: ['-d', `size=${bytes}`] }),
    // Every state has the same UUID, and several are mounted at once.
    mount: ['nouuid'],
    repair: [['xfs_repair'], ['xfs_repair', '-L']],
    pkg: 'xfsprogs',
  },
  btrfs: {
    type: 'btrfs',
    bytes: 128 * mib,
    mkfs: ['mkfs.btrfs', '-q', '-K', '-f'],
    sized: (bytes) => ({ before: ['-b', String(bytes)] }),
    mount: ['nodiscard'],
    repair: [['btrfs', 'check', '--force']],
    pkg: 'btrfs-progs',
  },
  f2fs: {
    type: 'f2fs',
    bytes: 128 * mib,
    mkfs: ['mkfs.f2fs', '-q', '-f'],
    sized: (bytes) => ({ after: [String(Math.floor(bytes / 512))] }),
    mount: ['nodiscard'],
    repair: [['fsck.f2fs', '-a']],
    pkg: 'f2fs-tools',
    guestsOnly: true,
  },
};

/** Those that every guest's kernel has. */
export const guestFileSystemNames = Object.keys(kinds);
/** Those that a machine's own kernel has, as a rule. */
export const fileSystemNames = guestFileSystemNames.filter((name) => kinds[name]?.guestsOnly !== true);

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
