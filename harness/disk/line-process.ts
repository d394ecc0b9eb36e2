/** A child process that answers one line to each line: ours are plugpull-disk's `hand`, `record` and `explore`. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { PlugpullError, UnavailableError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { leftBehind, within } from '../core/left-behind.js';
import { projectRoot } from '../core/version.js';

interface Waiting {
  resolve: (line: string) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

const stderrBytes = 16 * 1024;
/** No answer takes this long unless something hangs. */
const answerMillis = 120_000;
/** How long it may take to end by itself, and then by SIGKILL. */
const endMillis = 15_000;
const killMillis = 5_000;

/** It gave no answer in time and was killed. */
export class Hung extends PlugpullError {
  override name = 'Hung';
}

const withoutIt =
  'give it the devices and rights, or install user-mode Linux: apt-get install user-mode-linux kmod';

export function diskProgram(): string {
  const program = path.join(projectRoot, 'build', 'Release', 'plugpull-disk');
  if (!existsSync(program)) {
    throw new UnavailableError(
      'the crash disk is not built',
      'install libfuse3-dev and pkg-config, then: npm run build',
    );
  }
  return program;
}

export class LineProcess {
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private readonly waiting: Waiting[] = [];
  private readonly closed: Promise<void>;
  /** How it ended, if neither well nor by us. */
  death: PlugpullError | null = null;
  private text = '';
  private stderr = '';
  private ended: Error | null = null;
  private killed = false;
  /** Lines that came while nobody waited. */
  private readonly unasked: string[] = [];

  private constructor(private readonly args: readonly string[]) {
    const child = spawn(diskProgram(), args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child = child;
    child.stdin.on('error', () => undefined); // its death is told by `close`
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => this.take(text));
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-stderrBytes);
    });
    this.closed = new Promise((resolve) => {
      child.on('error', (error) => {
        this.end(error);
        resolve();
      });
      child.on('close', (code, signal) => {
        const how = signal ?? `exit ${code ?? '?'}`;
        const said = this.stderr.trim();
        const failure = this.failure(`ended (${how})${said === '' ? '' : `: ${said}`}`, code);
        if (code !== 0 && !this.killed) this.death = failure;
        this.end(failure);
        resolve();
      });
    });
  }

  /** Starts `plugpull-disk ARGS` and waits until it says `ready`. */
  static async start(...args: string[]): Promise<LineProcess> {
    const started = new LineProcess(args);
    const first = await started.line();
    if (first !== 'ready') throw started.failure(`said "${first}" instead of "ready"`);
    return started;
  }

  /**
   * Sends a line and gives the answer, without its `ok`; rejects on `error`, with Hung if none comes in time, and with
   * PlugpullError if the process has ended. Several may be under way.
   */
  async ask(line: string, millis = answerMillis): Promise<string> {
    const answer = this.line(millis);
    this.child.stdin.write(`${line}\n`);
    const got = await answer;
    if (got === 'ok') return '';
    if (got.startsWith('ok ')) return got.slice(3);
    if (got.startsWith('error '))
      throw new Error(`${this.args[0] ?? ''} ${line.split(' ')[0] ?? ''}: ${got.slice(6)}`);
    return got;
  }

  /** The next line that nobody has waited for yet. */
  async line(millis = answerMillis): Promise<string> {
    const ready = this.unasked.shift();
    if (ready !== undefined) return ready;
    if (this.ended !== null) throw this.ended;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.kill();
        this.end(new Hung(this.named(`gave no answer in ${millis / 1000} s`), exitCodes.ownFailure));
      }, millis);
      this.waiting.push({ resolve, reject, timer });
    });
  }

  /** Asks for a map of files (`map`), which is answered in many lines. */
  async map(line: string): Promise<MappedExtent[]> {
    const count = Number(await this.ask(line));
    const extents: MappedExtent[] = [];
    for (let i = 0; i < count; i++) {
      const [physical = '', length = '', logical = '', ...file] = (await this.line()).split(' ');
      extents.push({
        physical: Number(physical),
        length: Number(length),
        logical: Number(logical),
        file: file.join(' '),
      });
    }
    return extents;
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Ends its input and waits until it is gone; kills it if it does not go, and leaves it if not even that ends it. */
  async close(lastLine?: string, bounds = { end: endMillis, kill: killMillis }): Promise<void> {
    if (lastLine !== undefined) this.child.stdin.write(`${lastLine}\n`);
    this.child.stdin.end();
    if (!this.killed && (await within(bounds.end, this.closed))) return;
    this.kill();
    if (await within(bounds.kill, this.closed)) return;
    leftBehind(this.named('').trim(), this.child.pid);
    this.end(this.failure('does not end'));
    for (const stream of this.child.stdio) stream?.destroy();
    this.child.unref();
  }

  private kill(): void {
    this.killed = true;
    this.child.kill('SIGKILL');
  }

  private take(chunk: string): void {
    const lines = (this.text + chunk).split('\n');
    this.text = lines.pop() ?? '';
    for (const line of lines) {
      const waiting = this.waiting.shift();
      if (waiting === undefined) {
        this.unasked.push(line);
      } else {
        clearTimeout(waiting.timer);
        waiting.resolve(line);
      }
    }
  }

  private end(error: Error): void {
    this.ended ??= error;
    for (const waiting of this.waiting.splice(0)) {
      clearTimeout(waiting.timer);
      waiting.reject(this.ended);
    }
  }

  private failure(what: string, code: number | null = null): PlugpullError {
    // It says so where the machine refuses what it needs.
    if (code === exitCodes.unavailable) return new UnavailableError(this.named(what), withoutIt);
    return new PlugpullError(this.named(what), exitCodes.ownFailure);
  }

  private named(what: string): string {
    return `plugpull-disk ${this.args[0] ?? ''} ${what}`;
  }
}

/** A path or another word of a line, as plugpull-disk reads it: what would part words is written as in /proc/mounts. */
export function quoted(word: string): string {
  return word.replaceAll(/[\s\\]/g, (char) =>
    Array.from(Buffer.from(char), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join(''),
  );
}

/** A part of a file and where it lies on the disk; all in bytes. */
export interface MappedExtent {
  file: string;
  logical: number;
  physical: number;
  length: number;
}
