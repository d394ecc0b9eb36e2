/** Runs plugpull as an ordinary user, with a cache of its own. */
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { VmImage } from '../../harness/images/image.js';
import { executable } from './cli.js';

const nobody = 65534;

/** A cache that has one image. */
export function cacheWith(image: VmImage): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'plugpull-images-'));
  chmodSync(folder, 0o755);
  const to = path.join(folder, 'images', image.id);
  mkdirSync(path.dirname(to), { recursive: true });
  cpSync(image.folder, to, { recursive: true });
  rmSync(path.join(to, '.verified.json'), { force: true });
  return folder;
}

/** Makes the ordinary user the owner of all in a folder. */
export function giveAway(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    chownSync(path.join(folder, name), nobody, nobody);
  }
  chownSync(folder, nobody, nobody);
}

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs plugpull as an ordinary user. */
export function asNobody(
  cache: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
  millis = 150_000,
): Promise<Ended> {
  const user = ['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups'];
  const child = spawn('/usr/bin/setpriv', [...user, process.execPath, executable, ...args], {
    cwd: cache,
    env: { ...process.env, PLUGPULL_CACHE: cache, HOME: cache, USER: 'nobody', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return ended(child, millis);
}

export function ended(child: ReturnType<typeof spawn>, millis: number): Promise<Ended> {
  const timer = setTimeout(() => child.kill('SIGKILL'), millis);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, stdout, stderr });
    });
  });
}
