/**
 * The first program in user-mode Linux. The host's files are there, read-only, under an overlay in memory: whatever the
 * guest writes is gone with it, but for the one folder that it shares with the controller.
 */
import type { UserModeLinux } from '../rigs/uml.js';

/** The guest's memory file system for images and traces. */
export const guestWork = '/plugpull-work';

export interface InitOptions {
  uml: UserModeLinux;
  /** The folder shared with the controller. */
  folder: string;
  /** Node, and the program that it runs with that folder as its argument. */
  node: string;
  guest: string;
}

/** A script for /bin/sh. It ends the machine when the guest program ends. */
export function initScript({ uml, folder, node, guest }: InitOptions): string {
  const quoted = quote(folder);
  return [
    'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    // Whatever goes wrong ends the machine, with the reason on its console.
    'off() { echo 1 >/proc/sys/kernel/sysrq; echo o >/proc/sysrq-trigger; sleep 60; }',
    'need() { "$@" || { echo "plugpull: failed: $*"; off; }; }',
    'need mount -t proc proc /proc',
    // A crash in a mount is the end of the machine, at once and by name.
    'echo 1 >/proc/sys/kernel/panic_on_oops',
    ...uml.modules.map((file) => `need ${[...uml.insmod, file].map(quote).join(' ')}`),
    // The host's /tmp stays visible: the overlay takes the root's own files, not what is mounted over them.
    'need mount -t tmpfs tmpfs /tmp',
    'need mkdir /tmp/up /tmp/work /tmp/root /tmp/shm /tmp/shm-up /tmp/shm-work',
    'need mount -t overlay -o lowerdir=/,upperdir=/tmp/up,workdir=/tmp/work overlay /tmp/root',
    'r=/tmp/root',
    'need mount -t proc proc $r/proc',
    'need mount -t sysfs sysfs $r/sys',
    'need mount -t devtmpfs devtmpfs $r/dev',
    'need mkdir -p $r/dev/shm $r/dev/pts',
    'mount -t devpts devpts $r/dev/pts',
    'if mount -t hostfs -o /dev/shm hostfs /tmp/shm; then',
    'need mount -t overlay -o lowerdir=/tmp/shm,upperdir=/tmp/shm-up,workdir=/tmp/shm-work overlay $r/dev/shm',
    'else need mount -t tmpfs tmpfs $r/dev/shm; fi',
    `need mkdir $r${guestWork}`,
    `need mount -t tmpfs -o size=90% tmpfs $r${guestWork}`,
    `need mount -t hostfs -o ${quoted} hostfs $r${quoted}`,
    // The crash disk mounts only where nobody else looks.
    `unshare --mount --propagation private chroot $r ${[node, guest, folder].map(quote).join(' ')}`,
    'echo "plugpull: the guest ended: $?"',
    'off',
    '',
  ].join('\n');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
