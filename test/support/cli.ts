/** Runs the built command line as a user would. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
export const executable = path.join(root, 'bin', 'plugpull');

export interface CliResult {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Cli extends Promise<CliResult> {
  readonly child: ChildProcess;
}

/** Starts `plugpull` in a folder. Bounded: killed after `timeoutMs`. */
export function plugpull(args: string[], cwd: string, timeoutMs = 120_000): Cli {
  const child = spawn(process.execPath, [executable, ...args], {
    cwd,
    // Every process of the run carries the folder's name, so that a survivor can be found.
    env: { ...process.env, NO_COLOR: '1', GITHUB_ACTIONS: '', PLUGPULL_TEST_FOLDER: cwd },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const done = new Promise<CliResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({
        status,
        signal,
        stdout: Buffer.concat(out).toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
      });
    });
  });
  return Object.assign(done, { child });
}

/** A folder for one test, removed at its end by the function given back. */
export function temporaryFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-test-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Numbers of the processes whose command line or environment names `text`. */
export function processesNaming(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        const where = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${name}/${file}`, 'utf8'));
        return where.some((content) => content.includes(text));
      } catch {
        return false; // it is gone
      }
    })
    .map(Number);
}

/** Waits until `condition` holds; throws with `what` when it does not within the bound. */
export async function until(what: string, condition: () => boolean, timeoutMs = 20_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
