/** Programs that building needs, run under the guard: bounded, and gone with all they started when this process is. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { PlugpullError, storageError, UnavailableError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { launchLocally } from '../subjects/guard.js';

/** Debian packages of the programs that are used here. */
const packages: Record<string, string> = {
  mmdebstrap: 'mmdebstrap',
  mksquashfs: 'squashfs-tools',
  sqfstar: 'squashfs-tools',
  'apt-get': 'apt',
  'apt-cache': 'apt',
  'dpkg-deb': 'dpkg',
  flock: 'util-linux',
  bash: 'bash',
  tar: 'tar',
};

export const toolPath = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;

/** Full path of a program, or null where it is not installed. */
export function findTool(name: string): string | null {
  const folders = toolPath.split(':').filter((folder) => folder !== '');
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file)) ?? null;
}

/** Throws UnavailableError, naming the packages, where one of these is not installed. */
export function needTools(names: readonly string[]): void {
  const missing = names.filter((name) => findTool(name) === null);
  if (missing.length === 0) return;
  throw new UnavailableError(
    `building an image needs ${missing.join(', ')}`,
    `apt-get install --no-install-recommends ${packagesOf(missing)}`,
  );
}

/** Debian packages that have these programs. */
export function packagesOf(names: readonly string[]): string {
  return [...new Set(names.map((name) => packages[name] ?? name))].join(' ');
}

export interface ToolOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** At most this long. Default: 5 minutes. */
  millis?: number;
  signal?: AbortSignal | undefined;
  /** Told each line of stderr as it comes. */
  onLine?: (line: string) => void;
}

const keptBytes = 4 * 1024 * 1024;
const defaultMillis = 300_000;

/** Runs a program and gives what it wrote to stdout (its last 4 MiB). Throws where it is missing or fails. */
export async function runTool(argv: readonly string[], options: ToolOptions = {}): Promise<string> {
  options.signal?.throwIfAborted();
  const [name = ''] = argv;
  if (!name.includes('/')) needTools([name]);
  const millis = options.millis ?? defaultMillis;
  const tool = await launchLocally({
    argv: name.includes('/') ? argv : [findTool(name) ?? name, ...argv.slice(1)],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, PATH: toolPath, LC_ALL: 'C.UTF-8', ...options.env },
    limits: { millis },
  });
  tool.stdin.end();
  let stdout = '';
  let stderr = '';
  let line = '';
  tool.stdout.setEncoding('utf8').on('data', (text: string) => (stdout = (stdout + text).slice(-keptBytes)));
  tool.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-16_384);
    const lines = (line + text).split(/[\r\n]+/);
    line = (lines.pop() ?? '').slice(-1000);
    for (const whole of lines) options.onLine?.(whole);
  });
  const stop = () => tool.kill();
  options.signal?.addEventListener('abort', stop);
  const report = await tool.ended.finally(() => options.signal?.removeEventListener('abort', stop));
  options.signal?.throwIfAborted();
  if (report.stopped !== null) {
    throw new PlugpullError(`${name} took longer than ${millis / 1000} s`, exitCodes.ownFailure);
  }
  if (report.exit !== 0) throw new ToolError(name, report.exit, stderr);
  return stdout;
}

/** A program failed. Its message has the last lines of its stderr. */
export class ToolError extends PlugpullError {
  constructor(
    tool: string,
    status: number | null,
    readonly stderr: string,
  ) {
    const said = stderr.trim().split('\n').slice(-6).join('\n  ');
    super(`${tool} failed (${status === null ? 'signal' : `exit ${status}`}): ${said}`, exitCodes.ownFailure);
  }
}

const noSpace = /No space left|ENOSPC|Disk quota exceeded|not enough free space/i;
const noMirror =
  /Failed to fetch|Unable to fetch|Could not resolve|Temporary failure|Unable to connect|Could not connect|Connection (timed out|failed|refused)|does not have a Release/i;

/** What stands behind a failure while something was made in a folder: a full disk and a mirror that is not there are no faults of ours. */
export function whyNotMade(error: unknown, folder: string, what: string): Error {
  if (error instanceof ToolError) {
    const said = error.stderr;
    if (noSpace.test(said)) {
      const remedy = 'make room, or name other folders in $TMPDIR and $PLUGPULL_CACHE';
      return new UnavailableError(`no space left in ${folder} for ${what}: ${error.message}`, remedy);
    }
    if (noMirror.test(said)) {
      const remedy =
        'can this machine reach its Debian mirrors? They and their proxies are those of /etc/apt';
      return new UnavailableError(`${what} cannot be fetched: ${error.message}`, remedy);
    }
  }
  return (error as NodeJS.ErrnoException).syscall === undefined
    ? (error as Error)
    : storageError(error, `making ${what} in ${folder}`);
}
