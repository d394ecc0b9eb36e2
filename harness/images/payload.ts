/**
 * plugpull itself as guests and other machines need it: apart from the image, so that a new build of plugpull needs no
 * new image. Both forms are named by their content and made once.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, statSync, utimesSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { UnavailableError } from '../core/errors.js';
import { projectRoot } from '../core/version.js';
import { cacheFolder, syncFile, workFolder } from './cache.js';
import { usersOf } from './holding.js';
import { packageFiles, programFiles } from './payload-files.js';
import { needSpace } from './space.js';
import { needTools, runTool, whyNotMade } from './tools.js';

export interface Payload {
  /** Follows from the content of all files. */
  id: string;
  file: string;
}

/** Payloads of earlier builds that are kept. */
const kept = 6;

/** A squashfs that guests mount at /opt/plugpull. Throws UnavailableError where plugpull is not built. */
export async function payloadImage(): Promise<Payload> {
  return made('squashfs', collect(), async (tree, file) => {
    const fixed = ['-all-root', '-all-time', '0', '-mkfs-time', '0', '-no-xattrs', '-exports'];
    await runTool([
      'mksquashfs',
      tree,
      file,
      '-comp',
      'lz4',
      '-noappend',
      '-no-progress',
      '-quiet',
      ...fixed,
    ]);
  });
}

/** A .tar.gz with the same and `node`, for other machines. Throws UnavailableError where plugpull is not built. */
export async function payloadArchive(): Promise<Payload> {
  const files = new Map([...collect(), ['node', realpathSync(process.execPath)] as const]);
  return made('tar.gz', files, async (tree, file) => {
    const fixed = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mtime=@0'];
    const script = 'out=$1; shift; tar -c "$@" . | gzip -n -3 >"$out"';
    await runTool(['bash', '-o', 'pipefail', '-c', script, 'pack', file, ...fixed, '-C', tree]);
  });
}

/** Path in the payload, and where it is here. */
type Files = Map<string, string>;

function collect(): Files {
  const agent = path.join(projectRoot, 'dist', 'harness', 'guest', 'main.js');
  const release = path.join(projectRoot, 'build', 'Release');
  const programs = ['plugpull.node', 'plugpull-guard', 'plugpull-disk'];
  const missing = [agent, ...programs.map((name) => path.join(release, name))].find(
    (file) => !existsSync(file),
  );
  if (missing !== undefined) throw new UnavailableError(`${missing} is missing`, 'build it: npm run build');
  const files: Files = new Map([['package.json', path.join(projectRoot, 'package.json')]]);
  for (const name of programs) files.set(`build/Release/${name}`, path.join(release, name));
  // The text that the workload text-index indexes by default.
  files.set('docs/architecture.md', path.join(projectRoot, 'docs', 'architecture.md'));
  const { own, packages } = programFiles(projectRoot, [
    'dist/harness/guest/main.js',
    'dist/harness/worker/main.js',
  ]);
  for (const file of [...own, ...packageFiles(projectRoot, packages)])
    files.set(file, path.join(projectRoot, file));
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function made(
  kind: 'squashfs' | 'tar.gz',
  files: Files,
  pack: (tree: string, file: string) => Promise<void>,
): Promise<Payload> {
  const id = contentId(files);
  const base = cacheFolder('payloads');
  const file = path.join(base, `${id}.${kind}`);
  if (existsSync(file)) {
    const now = new Date();
    utimesSync(file, now, now); // so that it counts as used
    return { id, file };
  }
  needTools([kind === 'squashfs' ? 'mksquashfs' : 'tar']);
  const work = await workFolder();
  try {
    const bytes = [...files.values()].reduce((sum, from) => sum + statSync(from).size, 0);
    needSpace([{ folder: work, bytes: 2 * bytes }], 'packing plugpull');
    const tree = path.join(work, 'tree');
    for (const [to, from] of files) await copy(from, path.join(tree, to));
    const packed = path.join(work, 'packed');
    await pack(tree, packed);
    // It is found by its name alone from now on.
    await syncFile(packed);
    await rename(packed, file);
    await forgetOld(base, kind);
  } catch (error) {
    throw whyNotMade(error, work, 'the payload');
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return { id, file };
}

async function copy(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true, mode: 0o755 });
  await copyFile(from, to);
  await chmod(to, isProgram(from) ? 0o755 : 0o644);
}

function isProgram(file: string): boolean {
  return (statSync(file).mode & 0o100) !== 0;
}

function contentId(files: Files): string {
  const hash = createHash('sha256');
  for (const [name, from] of files) {
    const content = readFileSync(from);
    hash.update(`${name} ${isProgram(from) ? 'x' : '-'} ${content.length}\n`).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Removes payloads that were not used for longest, and that nobody uses now. */
async function forgetOld(base: string, kind: string): Promise<void> {
  const names = (await readdir(base)).filter((name) => name.endsWith(`.${kind}`));
  const dated = await Promise.all(
    names.map(async (name) => {
      const file = path.join(base, name);
      return {
        file,
        used: await stat(file).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        ),
      };
    }),
  );
  dated.sort((a, b) => b.used - a.used);
  for (const { file } of dated.slice(kept)) if (usersOf(file).length === 0) await rm(file, { force: true });
}
