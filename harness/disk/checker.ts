/** Checks crash states, one after the other, as cheaply as the target allows. */
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';
import { runProgram } from '../core/run-program.js';
import type { Target, BackendTarget } from '../core/target.js';
import { leftBehind, within } from '../core/left-behind.js';
import { makeRoom } from './room.js';
import { unrecovered } from './state-source.js';
import { workerTarget } from '../subjects/builtin.js';
import { createSubject } from '../subjects/create.js';
import type { Subject, SubjectCheck } from '../subjects/subject.js';
import { Zygote } from '../subjects/zygote.js';
import type { WorkerAnswer, WorkerResult } from '../worker/job.js';

export interface Checker {
  /** Recovers and verifies the target in a folder. */
  check(dir: string, acked: number): Promise<SubjectCheck>;
  /** Forgets all that it may still hold of folders checked before. */
  refresh(): Promise<void>;
  /** Where another process can ask for checks by itself: the process that checks, given out of hand until `refresh`. */
  hand?(): Promise<Handed>;
  close(): Promise<void>;
}

/** A process that checks: it takes folders, one a line, from one pipe and answers with a WorkerResult, one a line. */
export interface Handed {
  /** With the pipes `requests` and `answers`. */
  folder: string;
  /** How it ended: the verdict of what it was asked to check then. */
  ended: Promise<WorkerAnswer>;
}

/** No check takes longer, or its recovery hangs. */
export const checkMillis = 20_000;

/**
 * @param folder an existing folder for named pipes
 * @param started a zygote that runs already and has nothing else to do, where starting one takes long; it stays the caller's
 */
export function createChecker(target: Target, seed: number, folder: string, started?: Zygote): Checker {
  return target.kind === 'backend'
    ? new ResidentChecker(target, seed, folder, started)
    : new CommandChecker(createSubject(target, new Zygote()), seed, target.limits.timeMs);
}

class CommandChecker implements Checker {
  constructor(
    private readonly subject: Subject,
    private readonly seed: number,
    private readonly millis: number,
  ) {}

  async check(dir: string, acked: number): Promise<SubjectCheck> {
    makeRoom(path.dirname(dir));
    const checked = this.subject.check(dir, this.seed, acked);
    // The guard ends what takes too long, unless that hangs in the kernel.
    if (await within(this.millis + killMillis, checked)) return checked;
    leftBehind('a check', undefined);
    return unrecovered(`recovery did not end in ${this.millis} ms, and could not be ended`, 'time');
  }

  async refresh(): Promise<void> {
    // Nothing of it outlives a check.
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.subject.close();
  }
}

/** A checker that has not begun after this is given up for another, once. */
const startMillis = 60_000;
/** SIGKILL ends a checker at once unless it hangs in the kernel. */
const killMillis = 10_000;
const limits = { timeMs: 24 * 3600 * 1000, rssBytes: 1024 ** 3, outputBytes: 64 * 1024 ** 2 };

interface Child {
  folder: string;
  requests: number;
  answers: string;
  /** Null: its answers are for another process. */
  socket: Socket | null;
  pid: number | null;
  ended: Promise<WorkerAnswer>;
  over: boolean;
}

/** What an answer says, or the end of the process that should have given it, or that it did not come. */
export function checkOf(result: WorkerResult | WorkerAnswer | 'timeout', millis: number): SubjectCheck {
  const common = { log: '', end: { exit: 0, signal: null, stopped: null }, millis } as const;
  if (result === 'timeout') {
    const reason = `recovery did not end in ${checkMillis} ms`;
    const end = { exit: null, signal: 9, stopped: 'time' } as const;
    return { ...common, outcome: 'failed', state: null, reason, end };
  }
  if ('end' in result) {
    const { exit, signal, stopped } = result.end;
    const how = signal === null ? `ended with exit status ${exit ?? '?'}` : `died by signal ${signal}`;
    const said = result.result?.reason;
    const reason = `recovery ${stopped === null ? how : `was stopped for its ${stopped}`}${said === undefined ? '' : `: ${said}`}`;
    return { ...common, outcome: 'failed', state: null, reason, log: result.log, end: result.end };
  }
  if (result.outcome === 'done') throw new Error('a checker said that it had worked');
  const { outcome, state, reason, violation } = result;
  return { ...common, outcome, state, reason, ...(violation === undefined ? {} : { violation }) };
}

/** A forked child that checks until it dies; its death is the verdict of the state that it was at. */
class ResidentChecker implements Checker {
  private zygote: Zygote;
  private owned: boolean;
  private child: Child | null = null;
  private waiting: ((result: WorkerResult | 'timeout') => void) | null = null;

  constructor(
    private readonly target: BackendTarget,
    private readonly seed: number,
    private readonly folder: string,
    started?: Zygote,
  ) {
    this.zygote = started ?? new Zygote();
    this.owned = started === undefined;
  }

  async check(dir: string): Promise<SubjectCheck> {
    const started = performance.now();
    const child = await this.running();
    child.socket ??= this.listen(child);
    let timer: NodeJS.Timeout | undefined;
    const result = await Promise.race([
      new Promise<WorkerResult | 'timeout'>((resolve) => {
        this.waiting = resolve;
        timer = setTimeout(() => resolve('timeout'), checkMillis);
        writeSync(child.requests, `${dir}\n`);
      }),
      child.ended,
    ]);
    clearTimeout(timer);
    this.waiting = null;
    if (result === 'timeout' || 'end' in result) await this.refresh();
    return checkOf(result, performance.now() - started);
  }

  async hand(): Promise<Handed> {
    const child = await this.running();
    // Two must not read the answers; the next `check` listens again.
    child.socket?.destroy();
    child.socket = null;
    return child;
  }

  private async running(): Promise<Child> {
    if (this.child?.over === true) await this.refresh();
    this.child ??= (await this.start()) ?? (await this.start());
    const { child } = this;
    if (child === null) throw new Error(`a checker did not begin in ${startMillis} ms`);
    return child;
  }

  async refresh(): Promise<void> {
    const { child } = this;
    if (child === null) return;
    this.child = null;
    closeSync(child.requests);
    if (child.pid !== null) {
      try {
        process.kill(child.pid, 'SIGKILL');
      } catch {
        // It is gone already.
      }
    }
    if (!(await within(killMillis, child.ended))) {
      // It hangs in the kernel, and its zygote waits for it.
      leftBehind('a checker', child.pid ?? undefined);
      this.another();
    }
    child.socket?.destroy();
    rmSync(child.folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.refresh();
    if (this.owned) await this.zygote.close();
  }

  /** A zygote that waits for what hangs is of no use; it ends when it can. */
  private another(): void {
    const { zygote, owned } = this;
    this.zygote = new Zygote();
    this.owned = true;
    if (owned) zygote.close().catch(() => undefined);
  }

  private listen(child: Child, begun: () => void = () => undefined): Socket {
    const socket = new Socket({
      // For both, so that opening does not wait for the other side.
      fd: openSync(child.answers, constants.O_RDWR | constants.O_NONBLOCK),
      readable: true,
      writable: false,
    });
    socket.on('error', () => undefined);
    socket.setEncoding('utf8');
    let text = '';
    socket.on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const message = JSON.parse(text.slice(0, end)) as WorkerResult | { pid: number };
        text = text.slice(end + 1);
        if ('pid' in message) {
          child.pid = message.pid;
          begun();
        } else {
          this.waiting?.(message);
        }
      }
    });
    return socket;
  }

  /** Null: it did not begin in time. */
  private async start(): Promise<Child | null> {
    const folder = mkdtempSync(path.join(this.folder, 'check-'));
    const requests = path.join(folder, 'requests');
    const answers = path.join(folder, 'answers');
    await runProgram('mkfifo', [requests, answers]);
    const child: Child = {
      folder,
      requests: openSync(requests, constants.O_RDWR),
      answers,
      socket: null,
      pid: null,
      over: false,
      ended: this.zygote.run({
        op: 'serve',
        target: workerTarget(this.target),
        seed: this.seed,
        requests,
        answers,
        limits,
      }),
    };
    const over = (): void => void (child.over = true); // it is told to whoever waits for an answer
    child.ended.then(over, over);
    const ready = new Promise<void>((resolve) => {
      child.socket = this.listen(child, resolve);
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), startMillis);
    });
    const first = await Promise.race([ready, child.ended, late]);
    clearTimeout(timer);
    if (first !== undefined) {
      child.socket?.destroy();
      closeSync(child.requests);
      if (first === 'late') {
        this.another();
        return null;
      }
      throw new Error(`a checker ended before its first check: ${first.result?.reason ?? first.log}`);
    }
    return child;
  }
}
