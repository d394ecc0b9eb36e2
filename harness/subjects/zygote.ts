/** The controller's side of a zygote: one process, one job at a time, restarted when it dies. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { WorkerAnswer, WorkerJob } from '../worker/job.js';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

interface Waiting {
  resolve: (answer: WorkerAnswer) => void;
  reject: (error: Error) => void;
}

/** Beyond its own limits a job gets this long before the zygote itself counts as hung. */
const graceMs = 20_000;
const stderrBytes = 16 * 1024;

export class Zygote {
  private child: Child | null = null;
  private waiting: Waiting | null = null;
  private stderr = '';
  private closed = false;

  /** Runs one job. Rejects where the zygote itself failed: our own fault, never the target's. */
  async run(job: WorkerJob): Promise<WorkerAnswer> {
    if (this.closed) throw new Error('the zygote is closed');
    if (this.waiting !== null) throw new Error('a zygote takes one job at a time');
    const child = this.child ?? this.start();
    return new Promise<WorkerAnswer>((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        this.fail(new Error(`the worker process gave no answer in ${job.limits.timeMs + graceMs} ms`));
      }, job.limits.timeMs + graceMs);
      this.waiting = {
        resolve: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      child.stdin.write(`${JSON.stringify(job)}\n`);
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    const child = this.child;
    if (child === null) return;
    this.child = null;
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.stdin.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), 2000);
    await closed;
    clearTimeout(timer);
  }

  private start(): Child {
    const { argv, entry } = workerCommand();
    const child = spawn(process.execPath, ['--single-threaded', ...argv, entry], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child = child;
    this.stderr = '';
    child.stdin.on('error', () => undefined); // its death is told by `close`
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-stderrBytes);
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.answered(line));
    child.on('close', (code, signal) => {
      if (this.child === child) this.child = null;
      const said = this.stderr.trim();
      this.fail(
        new Error(
          `the worker process ended (${signal ?? `exit ${code ?? '?'}`})${said === '' ? '' : `: ${said}`}`,
        ),
      );
    });
    child.on('error', (error) => this.fail(error));
    return child;
  }

  private answered(line: string): void {
    const waiting = this.waiting;
    this.waiting = null;
    if (waiting === null) return;
    const answer = JSON.parse(line) as WorkerAnswer | { error: string };
    if ('error' in answer) waiting.reject(new Error(answer.error));
    else waiting.resolve(answer);
  }

  private fail(error: Error): void {
    const waiting = this.waiting;
    this.waiting = null;
    waiting?.reject(error);
  }
}

/** The worker beside this module: compiled, or the source through tsx when tests run the sources. */
function workerCommand(): { argv: string[]; entry: string } {
  const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'worker');
  const compiled = path.join(folder, 'main.js');
  if (existsSync(compiled)) return { argv: [], entry: compiled };
  return { argv: ['--import', 'tsx'], entry: path.join(folder, 'main.ts') };
}
