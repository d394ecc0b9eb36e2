/** Is there user-mode Linux on this machine: a Linux kernel that runs as an ordinary process of any user? */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import path from 'node:path';

export interface UserModeLinux {
  /** Path of the kernel. */
  program: string;
  /** Version of the kernel, such as 6.1.176. */
  release: string;
  /** Files of the modules that the rig needs, in the order of loading; those built in are left out. */
  modules: string[];
  /** What loads a module. */
  insmod: string[];
}

interface Lack {
  reason: string;
  remedy: string;
}

/** Names another kernel than `linux.uml` of Debian's package. */
const kernelVariable = 'PLUGPULL_UML';
const moduleNames = ['overlay', 'fuse', 'loop'];
const modulesFolder = '/usr/lib/uml/modules';
const install = 'apt-get install user-mode-linux kmod';
const versionMillis = 10_000;

let found: UserModeLinux | Lack | null = null;

/** What there is, looked for once. */
function look(): UserModeLinux | Lack {
  const named = process.env[kernelVariable];
  const program = named === undefined ? onPath('linux.uml') : whereIs(named);
  if (program === null) {
    return named === undefined
      ? { reason: 'user-mode Linux is not installed', remedy: install }
      : { reason: `there is no program ${named}, which $${kernelVariable} names`, remedy: install };
  }
  const asked = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: versionMillis });
  const release = /^[0-9][\w.+-]*$/m.exec(asked.status === 0 ? asked.stdout : '')?.[0];
  if (release === undefined) {
    return { reason: `${program} is no user-mode Linux: it does not tell its version`, remedy: install };
  }
  const modules = modulesOf(path.join(modulesFolder, release));
  const [insmod, busybox] = [onPath('insmod'), onPath('busybox')];
  if (modules.length > 0 && insmod === null && busybox === null) {
    return { reason: 'nothing here can load the modules of user-mode Linux', remedy: 'apt-get install kmod' };
  }
  return { program, release, modules, insmod: insmod === null ? [busybox ?? '', 'insmod'] : [insmod] };
}

/** Looks for it, once in a process. */
export function userModeLinux(): UserModeLinux | null {
  found ??= look();
  return 'program' in found ? found : null;
}

/** Why there is none, and what to do about it; null: there is. */
export function whyNoUml(): Lack | null {
  found ??= look();
  return 'program' in found ? null : found;
}

function modulesOf(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    return []; // a kernel with everything built in
  }
  return moduleNames
    .map((module) => names.find((name) => path.basename(name) === `${module}.ko`))
    .filter((name) => name !== undefined)
    .map((name) => path.join(folder, name));
}

/** Path of a program: where $PATH says, or where programs for root lie. */
export function onPath(program: string): string | null {
  const folders = (process.env.PATH ?? '').split(':').concat('/usr/bin', '/usr/sbin', '/sbin', '/bin');
  for (const folder of folders.filter((one) => path.isAbsolute(one))) {
    const file = whereIs(path.join(folder, program));
    if (file !== null) return file;
  }
  return null;
}

function whereIs(program: string): string | null {
  try {
    accessSync(program, constants.X_OK);
    return path.resolve(program);
  } catch {
    return null;
  }
}
