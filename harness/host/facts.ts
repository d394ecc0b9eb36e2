/** What must be known of a machine before it is trusted with a trial. */
import { HostError } from './error.js';
import { type HostConnection, quote } from './connection.js';

export interface HostFacts {
  bootId: string;
  /** `uname -r`. */
  kernel: string;
  /** `uname -m`. */
  machine: string;
  /** e.g. `glibc 2.36`; whatever the machine said. */
  libc: string;
  distribution: string;
  mount: Mount;
}

/** What is mounted where the target's folder lies. */
export interface Mount {
  source: string;
  point: string;
  fs: string;
  options: string;
}

/** File systems whose content ends with the power. */
const inMemory = ['tmpfs', 'ramfs', 'rootfs', 'devtmpfs'];
/** Those that can clone files. */
const cloning = ['xfs', 'btrfs', 'bcachefs'];

/** One line, and nothing beyond what a POSIX shell and a minimal userland have. */
const script = (folder: string): string =>
  [
    `d=${quote(folder)}`,
    'echo "boot=$(cat /proc/sys/kernel/random/boot_id)"',
    'echo "kernel=$(uname -r)"',
    'echo "machine=$(uname -m)"',
    'echo "libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | head -n 1)"',
    'echo "distribution=$(. /etc/os-release 2>/dev/null; echo "$PRETTY_NAME")"',
    'if [ ! -d "$d" ]; then echo "folder=missing"; ' +
      'elif t=$(mktemp -d "$d/.plugpull-XXXXXX" 2>&1); then rmdir "$t"; echo "folder=good"; ' +
      'else echo "folder=$t"; fi',
    'echo "point=$(df -P "$d" 2>/dev/null | tail -n 1 | sed "s/.*% //")"',
    'sed "s/^/mount=/" /proc/self/mounts',
  ].join('; ');

/** Asks a machine about itself and the folder. Rejects with a HostError where it is no Linux that answers. */
export async function readFacts(
  connection: HostConnection,
  folder: string,
): Promise<{ facts: HostFacts; folder: string }> {
  const text = await connection.must(shell(script(folder)), 'cannot be asked about itself');
  const lines = text.split('\n');
  const value = (name: string): string =>
    lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  const bootId = value('boot');
  if (!/^[0-9a-f-]{36}$/.test(bootId)) {
    throw new HostError(
      'unfit',
      `${connection.name} tells no boot id (/proc/sys/kernel/random/boot_id): is it a Linux?`,
    );
  }
  const mounts = lines.filter((line) => line.startsWith('mount=')).map((line) => line.slice('mount='.length));
  return {
    folder: value('folder'),
    facts: {
      bootId,
      kernel: value('kernel'),
      machine: value('machine'),
      libc: value('libc'),
      distribution: value('distribution'),
      mount: mountAt(mounts, value('point')),
    },
  };
}

/** The newest mount at a point, of lines as in /proc/self/mounts. */
export function mountAt(mounts: string[], point: string): Mount {
  const line = mounts.findLast((one) => unescapeMount(one.split(' ')[1] ?? '') === point) ?? '';
  const [source = '', , fs = '', options = ''] = line.split(' ');
  return { source: unescapeMount(source), point, fs, options };
}

/** Blanks and the like stand there as octal numbers. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** Why no target can be tortured in that folder of that machine; null: one can. */
export function unfit(name: string, folder: string, state: string, { mount }: HostFacts): HostError | null {
  const another = 'name another by --remote-dir';
  if (state === 'missing') {
    return new HostError('unfit', `${name} has no folder ${folder}`, `make it there, or ${another}`);
  }
  if (state !== 'good') {
    return new HostError('unfit', `${name}: cannot write in ${folder}: ${state}`, another);
  }
  if (inMemory.includes(mount.fs)) {
    return new HostError(
      'unfit',
      `${name}: ${folder} lies on ${mount.fs}, which lives in memory: no power cut leaves anything of it`,
      'mount a disk there, or ' + another,
    );
  }
  return null;
}

export function canClone({ mount }: HostFacts): boolean {
  return cloning.includes(mount.fs);
}

/** Is the same file system there again? Its device may have another name after a boot. */
export function sameMount(a: Mount, b: Mount): boolean {
  return a.point === b.point && a.fs === b.fs;
}

/** A command line for any login shell that runs a script of one line by the POSIX shell. */
export function shell(line: string): string {
  return `/bin/sh -c ${quote(line)}`;
}
