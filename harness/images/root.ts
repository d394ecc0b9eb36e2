/** The root file system of guests, built by mmdebstrap. */
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, readdirSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { UnavailableError } from '../core/errors.js';
import { sourceLines, type Mirrors } from './apt.js';
import { ownerLives, ownPrefix } from './cache.js';
import { recipeFolder, type Recipe } from './recipe.js';
import { findTool, runTool, ToolError, whyNotMade } from './tools.js';

/** Room that mmdebstrap takes for its folder and the packages, as measured, and some. */
export const rootWorkBytes = 900 * 1024 ** 2;
const buildMillis = 20 * 60_000;
const temporaryPrefix = 'plugpull-root-';

export interface BuiltRoot {
  packages: Record<string, string>;
}

/** The folder that mmdebstrap works in: with user namespaces it must be one that everybody can enter. */
export function rootWorkFolder(work: string): string {
  return process.getuid?.() === 0 ? work : tmpdir();
}

/** Writes `root.squashfs` to `out`. `work` is a folder for what comes between. */
export async function buildRoot(
  recipe: Recipe,
  mirrors: Mirrors,
  work: string,
  out: string,
  progress: (text: string) => void,
  signal?: AbortSignal,
): Promise<BuiltRoot> {
  const mode = buildMode();
  const node = await hostNode(signal);
  const overlay = path.join(work, 'overlay');
  await cp(path.join(recipeFolder, 'root'), overlay, { recursive: true });
  await mkdir(path.join(overlay, 'usr', 'local', 'bin'), { recursive: true });
  await mkdir(path.join(overlay, 'opt', 'plugpull'), { recursive: true });
  if (node.copy !== null) {
    const to = path.join(overlay, 'usr', 'local', 'bin', 'node');
    copyFileSync(node.copy, to);
    chmodSync(to, 0o755);
  }
  const config = path.join(work, 'transport.conf');
  await writeFile(config, `${mirrors.config}\n`);
  const list = path.join(work, 'packages.list');
  const tar = path.join(work, 'overlay.tar');
  const owned = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mtime=@0'];
  await runTool(['tar', '-c', ...owned, '-f', tar, '-C', overlay, '.'], { signal });
  const args = [
    `--mode=${mode}`,
    '--variant=minbase',
    `--include=${[...recipe.packages, ...node.packages].join(',')}`,
    `--aptopt=${config}`,
    '--aptopt=Acquire::Retries "2"',
    ...['man', 'doc', 'locale', 'info', 'lintian'].map(
      (name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`,
    ),
    '--dpkgopt=force-unsafe-io',
    `--customize-hook=tar-in ${tar} /`,
    // Debian's own node is looked for where ours would be.
    '--customize-hook=[ -e "$1/usr/local/bin/node" ] || ln -s /usr/bin/node "$1/usr/local/bin/node"',
    '--customize-hook=rm -rf "$1"/etc/ssh/ssh_host_* "$1"/usr/share/zoneinfo "$1"/var/lib/dpkg/info "$1"/var/cache/debconf',
    '--customize-hook=printf "plugpull\\n" >"$1/etc/hostname"; printf "127.0.0.1 localhost plugpull\\n" >"$1/etc/hosts"; : >"$1/etc/resolv.conf"; : >"$1/etc/fstab"',
    `--customize-hook=chroot "$1" dpkg-query --show >"$1/packages.list"`,
    `--customize-hook=download /packages.list ${list}`,
    '--customize-hook=rm "$1/packages.list"',
    recipe.suite,
    '-',
    ...sourceLines(mirrors, recipe.suite),
  ];
  // What mmdebstrap's archive says about the root folder is not taken over.
  const rootFolder = ['-root-mode', '755', '-root-uid', '0', '-root-gid', '0'];
  const squash = ['-comp', 'lz4', '-no-progress', '-quiet', '-mkfs-time', '0', '-exports', ...rootFolder];
  const script = `out=$1; shift; mmdebstrap "$@" | sqfstar ${squash.join(' ')} "$out" >&2`;
  const folder = temporaryFolder(rootWorkFolder(work));
  try {
    const argv = ['bash', '-o', 'pipefail', '-c', script, 'build', path.join(out, 'root.squashfs'), ...args];
    await runTool(argv, {
      env: { TMPDIR: folder },
      millis: buildMillis,
      signal,
      onLine: (line) => {
        const said = /^I: (running apt-get update|downloading|extracting|installing|creating)(.*)/.exec(line);
        if (said !== null) progress(`root file system: ${said[1] ?? ''}${said[2] ?? ''}`);
      },
    });
  } catch (error) {
    throw explained(error, mode, path.dirname(folder));
  } finally {
    await removeTree(folder);
  }
  return { packages: packageList(readFileSync(list, 'utf8')) };
}

/** How mmdebstrap gets the rights that it needs. Throws UnavailableError where there is no way. */
export function buildMode(): 'root' | 'unshare' | 'fakechroot' {
  if (process.getuid?.() === 0) return 'root';
  const name = process.env.USER ?? process.env.LOGNAME ?? '';
  const uid = String(process.getuid?.() ?? '');
  const hasRange = ['/etc/subuid', '/etc/subgid'].every(
    (file) =>
      existsSync(file) &&
      readFileSync(file, 'utf8')
        .split('\n')
        .some((line) => [name, uid].includes(line.split(':')[0] ?? '') && line !== ''),
  );
  if (findTool('newuidmap') !== null && hasRange) return 'unshare';
  if (findTool('fakechroot') !== null && findTool('fakeroot') !== null) return 'fakechroot';
  throw new UnavailableError(
    'an ordinary user can build images only with a range of user numbers in /etc/subuid and /etc/subgid',
    `apt-get install uidmap, and as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name || uid}; or build as root`,
  );
}

/** Node as it runs here, where that is one file; else Debian's. */
async function hostNode(signal?: AbortSignal): Promise<{ copy: string | null; packages: string[] }> {
  const needed = await runTool(['ldd', process.execPath], { signal }).catch(() => '');
  const own = /lib(node|v8|uv|ssl|icu)[^ ]*\.so/.test(needed);
  return own ? { copy: null, packages: ['nodejs'] } : { copy: process.execPath, packages: [] };
}

function packageList(text: string): Record<string, string> {
  const pairs = text
    .trim()
    .split('\n')
    .map((line) => line.split('\t'));
  return Object.fromEntries(pairs.map(([name = '', version = '']) => [name.replace(/:.*/, ''), version]));
}

function explained(error: unknown, mode: string, folder: string): Error {
  const why = whyNotMade(error, folder, 'the root file system');
  if (mode === 'unshare' && why instanceof ToolError && /newuidmap|unshare|uid_map/i.test(why.stderr)) {
    return new UnavailableError(`user namespaces do not work here: ${why.message}`, 'build as root');
  }
  return why;
}

/** A folder in `base` for mmdebstrap alone, after those that killed builders have left are gone. */
function temporaryFolder(base: string): string {
  for (const name of readdirSync(base)) {
    if (!name.startsWith(temporaryPrefix) || ownerLives(name.slice(temporaryPrefix.length))) continue;
    removeTree(path.join(base, name)).catch(() => undefined);
  }
  const folder = mkdtempSync(path.join(base, `${temporaryPrefix}${ownPrefix()}`));
  chmodSync(folder, 0o755);
  return folder;
}

/** Files in it may belong to numbers that only a user namespace lets us touch. */
async function removeTree(folder: string): Promise<void> {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    const inside = ['unshare', '--user', '--map-root-user', '--map-auto', 'rm', '-rf', '--', folder];
    await runTool(inside).catch(() => undefined);
  }
}
