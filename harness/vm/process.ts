/**
 * One QEMU process. It is a child of ours with a process group of its own; all it talks over are socket pairs that it
 * inherits, so there are no names for others to take. The kernel kills it when this process dies, however that happens.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { Tail } from '../subjects/tail.js';
import { descriptors } from './arguments.js';
import { VmError } from './error.js';
import { watchProcessor } from './processor-wait.js';
import { QmpClient, QmpError, type QmpEvent } from './qmp.js';

export interface QemuProgram {
  program: string;
  version: string;
  env: NodeJS.ProcessEnv;
}

const consoleBytes = 64 * 1024;
const stderrBytes = 16 * 1024;
/** QEMU answers to QMP this long after its start at most, also on a busy machine. */
const startMillis = 30_000;
/** QEMU says how its guest is after this long at most. */
const statusMillis = 10_000;
/** A killed process is gone after this long, unless the kernel holds it. */
const goneMillis = 30_000;

/**
 * Runs the rest of its arguments unless our parent is not the first of them any more: it can have died before the kernel
 * was told to kill us with it.
 */
const unlessOrphaned = '[ "$PPID" = "$0" ] && exec "$@"';

export class QemuProcess {
  readonly pid: number;
  readonly control: Duplex;
  readonly marks: Duplex;
  /** Settles when it is gone and all it said was read: null where we ended it. */
  readonly ended: Promise<VmError | null>;
  private readonly consoleTail = new Tail(consoleBytes);
  private readonly stderrTail = new Tail(stderrBytes);
  private monitor: QmpClient | null = null;
  private ending = false;
  private gone = false;
  /** Why we ended it: this machine failed it. */
  private failed: VmError | null = null;

  private constructor(child: ChildProcess) {
    this.pid = child.pid ?? 0;
    const stream = (fd: number) => child.stdio[fd] as Duplex;
    this.control = stream(descriptors.control);
    this.marks = stream(descriptors.marks);
    for (const each of child.stdio) each?.on('error', () => undefined); // its end is told by `close`
    stream(descriptors.console).on('data', (chunk: Buffer) => this.consoleTail.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.stderrTail.push(chunk));
    this.ended = new Promise((resolve) => {
      child.on('error', (error) => {
        this.gone = true;
        resolve(this.error('start', `${child.spawnfile} cannot be started: ${error.message}`));
      });
      child.on('close', (code, signal) => {
        this.gone = true;
        resolve(this.failed ?? (this.ending ? null : this.whyEnded(code, signal)));
      });
    });
  }

  /**
   * Starts QEMU and waits until it can be told what to do. Rejects with a VmError `start`.
   * @param state descriptor of an open file that it inherits
   */
  static async start(qemu: QemuProgram, args: readonly string[], state?: number): Promise<QemuProcess> {
    const guarded = ['--pdeathsig', 'KILL', '/bin/sh', '-c', unlessOrphaned, String(process.pid)];
    const child = spawn('setpriv', [...guarded, qemu.program, ...args], {
      // stdin, stdout, stderr, and what `descriptors` says
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', state ?? 'ignore'],
      env: { ...process.env, ...qemu.env },
      detached: true,
    });
    const started = new QemuProcess(child);
    try {
      const open = QmpClient.open(child.stdio[descriptors.qmp] as Duplex, { timeoutMillis: startMillis });
      open.catch(() => undefined);
      started.monitor = await Promise.race([
        open,
        started.ended.then((error) => Promise.reject(error ?? new Error('it was ended'))),
      ]);
      started.monitor.on((event) => started.hear(event));
      return started;
    } catch (error) {
      const why = await started.explain('start', error);
      await started.kill();
      throw started.error('start', why.message);
    }
  }

  get qmp(): QmpClient {
    if (this.monitor === null) throw new Error('QEMU has not started');
    return this.monitor;
  }

  console(): string {
    return this.consoleTail.toString();
  }

  stderr(): string {
    return this.stderrTail.toString();
  }

  alive(): boolean {
    return !this.gone;
  }

  error(kind: VmError['kind'], message: string): VmError {
    return new VmError(kind, message, this.console(), this.stderr());
  }

  /** Runs a command of QMP. Rejects with a VmError of this kind, or with why QEMU ended. */
  async tell(
    kind: VmError['kind'],
    command: string,
    args?: Record<string, unknown>,
    timeoutMillis?: number,
  ): Promise<unknown> {
    try {
      return await this.qmp.execute(command, args, timeoutMillis === undefined ? {} : { timeoutMillis });
    } catch (error) {
      throw await this.explain(kind, error);
    }
  }

  /** What stands behind a failed exchange: the end of QEMU, where that is why. */
  async explain(kind: VmError['kind'], error: unknown): Promise<VmError> {
    if (error instanceof VmError) return error;
    if (this.lostBy(error)) {
      const ended = await within(this.ended, 2000);
      if (ended instanceof VmError) return ended;
    }
    const hung = error instanceof QmpError && error.kind === 'timeout';
    return this.error(hung ? 'hung' : kind, (error as Error).message);
  }

  /**
   * Watches this machine from now on. What it gives says whether a guest that is late was kept waiting by it: QEMU does not
   * answer either, or had hardly a processor to run on. Null: it was not.
   */
  watchHost(): () => Promise<VmError | null> {
    const processor = watchProcessor(this.pid);
    return async () => {
      if (this.failed !== null || this.gone) return this.failed;
      const { starved, share } = processor();
      if (starved) {
        const part = Math.round(share * 100);
        return this.error(
          'host',
          `this machine is too busy: QEMU waited for a processor for ${part} % of the time`,
        );
      }
      try {
        await this.qmp.execute('query-status', undefined, { timeoutMillis: statusMillis });
        return null;
      } catch (error) {
        return this.error('host', `QEMU itself does not answer: ${(error as Error).message}`);
      }
    };
  }

  /** SIGKILL to the process group. Resolves when it is gone and all it said was read. */
  async kill(): Promise<void> {
    this.ending = true;
    this.signal();
    await this.waitUntilGone();
  }

  /** Stops the guest, then lets QEMU end by itself: what it has to write out, it writes. */
  async stopAndQuit(): Promise<void> {
    this.ending = true;
    try {
      await this.qmp.execute('stop');
      await this.qmp.execute('quit');
      if ((await within(this.ended, goneMillis)) === timedOut) throw this.error('hung', 'QEMU did not end');
    } catch (error) {
      await this.kill();
      throw await this.explain('host', error);
    }
  }

  /** A disk that this machine fails to read or write has stopped the guest, which would wait for ever. */
  private hear({ event, data }: QmpEvent): void {
    if (event !== 'BLOCK_IO_ERROR' || data.action !== 'stop' || this.failed !== null) return;
    const why = typeof data.reason === 'string' ? data.reason : 'an error';
    const what = data.operation === 'read' ? 'read' : 'written';
    this.failed = this.error('host', `a disk of the guest cannot be ${what} on this machine: ${why}`);
    this.signal();
  }

  private signal(): void {
    if (this.gone || this.pid === 0) return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  }

  private async waitUntilGone(): Promise<void> {
    if ((await within(this.ended, goneMillis)) === timedOut) {
      throw this.error('hung', `QEMU (pid ${this.pid}) cannot be killed`);
    }
  }

  private lostBy(error: unknown): boolean {
    return !(error instanceof QmpError) || error.kind === 'closed';
  }

  private whyEnded(code: number | null, signal: string | null): VmError {
    const how = signal ?? `exit ${code ?? '?'}`;
    const panic = /Kernel panic[^\r\n]*/.exec(this.console())?.[0];
    if (panic !== undefined) return this.error('panic', `the guest's kernel panicked: ${panic}`);
    if (code === 0) {
      // What the first programs of a guest say when they give up.
      const last = [...this.console().matchAll(/plugpull: ([^\r\n]*)/g)].at(-1)?.[1];
      return this.error('gone', `the guest powered itself off${last === undefined ? '' : `: ${last}`}`);
    }
    const said = this.stderr().trim().split('\n').slice(-3).join('; ');
    return this.error('host', `QEMU ended by itself (${how})${said === '' ? '' : `: ${said}`}`);
  }
}

export const timedOut = Symbol('timed out');

/** What the promise gives, or `timedOut`. */
export async function within<T>(promise: Promise<T>, millis: number): Promise<T | typeof timedOut> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof timedOut>((resolve) => {
    timer = setTimeout(() => resolve(timedOut), millis);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
