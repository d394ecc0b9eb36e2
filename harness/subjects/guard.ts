/**
 * Starts a program under plugpull-guard, which owns its whole process tree: see native/guard. The program's stdio
 * are real pipes (Node's own are sockets, which cannot be opened as /dev/stderr): the guard makes them and we open
 * their other ends through /proc.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { PlugpullError, UnavailableError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import type { LeftProcess } from './subject.js';

export interface GuardLimits {
  millis?: number;
  memoryBytes?: number;
  processes?: number;
}

export interface LaunchOptions {
  argv: readonly string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  limits?: GuardLimits;
  /** Kill the tree this long after its start. */
  killAfterMicros?: number | undefined;
}

/** How a tree ended, as the guard tells it. */
export interface GuardReport {
  exit: number | null;
  signal: number | null;
  /** The program was alive when we killed it, and died of that. */
  killed: boolean;
  stopped: 'time' | 'memory' | 'processes' | null;
  /** Alive after the program's own end, or outside its process group; at most 64 are named. */
  leftovers: LeftProcess[];
  leftoverCount: number;
  /** Could not be killed in time. */
  survivors: number[];
  /** Most memory that the tree was seen to hold (mapped files left out), bytes. */
  maxMemory: number;
  maxRss: number;
  /** Bytes sent to its stdin that it never read. */
  unread: number | null;
  micros: number;
}

/** A program that runs, or ran, somewhere. */
export interface Launched {
  readonly stdin: Socket;
  readonly stdout: Socket;
  readonly stderr: Socket;
  /** Ends the whole tree, now or after some time. Harmless once it has ended. */
  kill(afterMicros?: number): void;
  /** Settles once the tree is gone and its output has been read to the end; so somebody must read it. */
  readonly ended: Promise<GuardReport>;
}

/** How programs are started; a rig may put them elsewhere. Rejects if the program cannot be started at all. */
export type Launcher = (options: LaunchOptions) => Promise<Launched>;

type Message =
  | { type: 'ready'; stdin: number; stdout: number; stderr: number }
  | ({ type: 'ended' } & GuardReport)
  | { type: 'failed'; what: string; message: string; code: string };

/** Path of the guard's executable in this checkout or installation. */
export function guardPath(): string {
  let folder = import.meta.dirname;
  while (!existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder) break;
    folder = parent;
  }
  return path.join(folder, 'build', 'Release', 'plugpull-guard');
}

/** Starts a program on this machine. */
export const launchLocally: Launcher = (options) => launch(guardPath(), options);

/** Starts a program under the guard at `guard`. */
export async function launch(guard: string, options: LaunchOptions): Promise<Launched> {
  if (!existsSync(guard)) {
    throw new UnavailableError(`${guard} is missing`, 'build it: npm run build');
  }
  const { millis = 0, memoryBytes = 0, processes = 0 } = options.limits ?? {};
  const flags = {
    '--control': 3,
    '--time-max': millis,
    '--memory-max': memoryBytes,
    '--processes-max': processes,
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [flag, String(Math.ceil(value))]);
  const child = spawn(guard, ['--pipes', ...args, '--', ...options.argv], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const control = child.stdio[3] as Duplex;
  const messages = readMessages(child, control);
  const ready = await messages.next();
  if (ready.type !== 'ready') throw failureOf(ready, options.argv);
  const pipes = openPipes(child, ready);
  const closed = Promise.all([pipes.stdout, pipes.stderr].map((stream) => once(stream, 'close')));
  const kill = (afterMicros?: number) => {
    if (!control.writable) return;
    control.write(afterMicros === undefined ? 'k' : `d${Math.max(0, Math.round(afterMicros))}\n`);
  };
  const ended = messages.next().then(async (message) => {
    pipes.stdin.destroy();
    if (message.type !== 'ended') {
      for (const stream of [pipes.stdout, pipes.stderr]) stream.destroy();
      throw failureOf(message, options.argv);
    }
    // Whoever survived may hold the pipes open for ever.
    if (message.survivors.length > 0) for (const stream of [pipes.stdout, pipes.stderr]) stream.destroy();
    await closed;
    return message;
  });
  // Whoever awaits it later still gets the error; until then it must not end the process.
  ended.catch(() => undefined);
  if (options.killAfterMicros !== undefined) kill(options.killAfterMicros);
  control.write('g');
  return { ...pipes, kill, ended };
}

/** Opens our ends of the pipes that the guard made. They are file descriptions of our own, closed with the sockets. */
function openPipes(child: ChildProcess, ready: { stdin: number; stdout: number; stderr: number }) {
  const opened: number[] = [];
  const open = (fd: number, flags: number) => {
    const own = openSync(`/proc/${child.pid}/fd/${fd}`, flags | constants.O_NONBLOCK);
    opened.push(own);
    return own;
  };
  try {
    const stdin = open(ready.stdin, constants.O_WRONLY);
    const stdout = open(ready.stdout, constants.O_RDONLY);
    const stderr = open(ready.stderr, constants.O_RDONLY);
    const sockets = {
      stdin: new Socket({ fd: stdin, readable: false, writable: true }),
      stdout: new Socket({ fd: stdout, readable: true, writable: false }),
      stderr: new Socket({ fd: stderr, readable: true, writable: false }),
    };
    // A program that is gone does not read: it is known by its end, not by the failed write.
    for (const socket of Object.values(sockets)) socket.on('error', () => undefined);
    return sockets;
  } catch (error) {
    opened.forEach((fd) => closeSync(fd));
    child.kill('SIGTERM');
    throw new PlugpullError(`cannot open the pipes of a guard: ${String(error)}`, exitCodes.ownFailure);
  }
}

/** The guard's JSON lines, one at a time. After the guard's end it gives `failed` for ever. */
function readMessages(child: ChildProcess, control: Duplex): { next(): Promise<Message> } {
  const queue: Message[] = [];
  let waiting: ((message: Message) => void) | null = null;
  let end: Message | null = null;
  const settle = () => {
    const message = queue[0] ?? end;
    if (waiting === null || message === null) return;
    queue.shift();
    waiting(message);
    waiting = null;
  };
  let text = '';
  control.setEncoding('utf8');
  control.on('data', (part: string) => {
    const lines = (text + part).split('\n');
    text = lines.pop() ?? '';
    queue.push(...lines.map((line) => JSON.parse(line) as Message));
    settle();
  });
  const fail = (what: string, message: string) => {
    end ??= { type: 'failed', what, message, code: '' };
    settle();
  };
  control.on('error', () => undefined);
  child.on('error', (error) => fail('plugpull-guard', error.message));
  child.on('close', (code, signal) =>
    fail('plugpull-guard', `ended without a report (${signal ?? `exit ${code}`})`),
  );
  return {
    next: () =>
      new Promise((resolve) => {
        waiting = resolve;
        settle();
      }),
  };
}

function failureOf(message: Message, argv: readonly string[]): PlugpullError {
  const why =
    message.type === 'failed' ? `${message.what}: ${message.message}` : `unexpected ${message.type}`;
  return new PlugpullError(`cannot run ${argv[0] ?? 'nothing'}: ${why}`, exitCodes.ownFailure);
}
