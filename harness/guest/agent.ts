/** The agent: answers the controller's requests on the machine that it tortures. */
import { readFileSync } from 'node:fs';
import { machine, release } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { native } from '../../native/index.js';
import { PlugpullError } from '../core/errors.js';
import { version } from '../core/version.js';
import * as files from './files.js';
import { LineCutter } from './lines.js';
import { object, type Params, ParamsError, text, whole } from './params.js';
import { Present } from './present.js';
import {
  agentProtocol,
  maxLineBytes,
  type AgentFailure,
  type AgentMessage,
  type AgentMethod,
  type AgentMethods,
  type Hello,
} from './protocol.js';
import { Storage } from './storage.js';
import { Work } from './work.js';

export interface AgentOptions {
  /** It runs in a guest of ours, which may be told the time. */
  guest: boolean;
}

type Handlers = {
  [M in AgentMethod]: (params: Params) => AgentMethods[M]['result'] | Promise<AgentMethods[M]['result']>;
};

const maxPending = 64;
const kernelLogBytes = 64 * 1024;

export class Agent {
  private readonly work = new Work((mark) => this.confirm(mark));
  private readonly storage = new Storage();
  private readonly present = new Present(this.work.zygote);
  private readonly unconfirmed = new Map<number, () => void>();
  private lastMark = 0;
  private pending = 0;

  constructor(
    private readonly output: Writable,
    private readonly options: AgentOptions,
  ) {}

  /** Serves until the input ends, then ends all that it started. */
  async serve(input: Readable): Promise<void> {
    await new Promise<void>((resolve) => {
      const cutter = new LineCutter(
        maxLineBytes,
        (line) => void this.take(line),
        () => {
          this.log(`a request of more than ${maxLineBytes} bytes`);
          resolve();
        },
      );
      input.on('data', (chunk: Buffer) => cutter.push(chunk));
      input.on('end', resolve);
      input.on('close', resolve);
      input.on('error', () => resolve());
    });
    await this.close();
  }

  async close(): Promise<void> {
    for (const part of [() => this.present.end(), () => this.work.close(), () => this.storage.close()]) {
      try {
        await part();
      } catch (error) {
        this.log(String(error));
      }
    }
  }

  private readonly handlers: Handlers = {
    hello: () => hello(),
    bootId: () => ({ bootId: bootId() }),
    wake: (params) => this.wake(params),
    warm: async () => {
      if (this.options.guest) await this.storage.warm();
      await this.work.warm();
      return null;
    },
    makeFs: (params) => this.storage.makeFs(params),
    mount: (params) => this.storage.mount(params),
    unmount: (params) => this.storage.unmount(params),
    quiesce: (params) => this.storage.quiesce(params),
    map: (params) => this.storage.map(params),
    repair: (params) => this.storage.repair(params),
    makeFolder: (params) => files.makeFolder(params),
    remove: (params) => files.remove(params),
    put: (params) => files.put(params),
    get: (params) => files.get(params),
    pack: (params) => files.pack(params),
    keep: (params) => files.keep(params),
    compare: (params) => files.compare(params),
    setup: (params) => this.work.setup(params),
    run: (params) => this.work.run(params),
    check: (params) => this.work.check(params),
    present: (params) => this.present.present(params),
    digests: (params) => this.present.digests(params),
    try: (params) => this.present.try(params),
    seen: () => this.present.seen(),
    look: (params) => this.present.look(params),
    learn: (params) => this.present.learn(params),
    open: (params) => this.present.open(params),
    refresh: () => this.present.refresh(),
    kernelLog: () => kernelLog(),
  };

  private async take(line: string): Promise<void> {
    if (line.trim() === '') return;
    let message: Params;
    try {
      message = object(JSON.parse(line));
    } catch {
      this.log(`not a request: ${line.slice(0, 120)}`);
      return;
    }
    if (typeof message.confirm === 'number') {
      this.unconfirmed.get(message.confirm)?.();
      return;
    }
    const { id, method } = message;
    if (typeof id !== 'number') {
      this.log(`a request without an id: ${line.slice(0, 120)}`);
      return;
    }
    try {
      this.send({ id, result: await this.answer(method, message.params) });
    } catch (error) {
      this.send({ id, error: failureOf(error) });
    }
  }

  private async answer(method: unknown, params: unknown): Promise<unknown> {
    if (typeof method !== 'string' || !Object.hasOwn(this.handlers, method)) {
      throw Object.assign(new Error(`there is no method ${String(method)}`), { code: 'EMETHOD' });
    }
    if (this.pending >= maxPending) throw new ParamsError(`more than ${maxPending} requests under way`);
    this.pending++;
    try {
      return await this.handlers[method as AgentMethod](object(params ?? {}));
    } finally {
      this.pending--;
    }
  }

  private send(message: AgentMessage): void {
    if (!this.output.destroyed) this.output.write(`${JSON.stringify(message)}\n`);
  }

  private log(said: string): void {
    this.send({ event: 'log', text: `${said}\n` });
  }

  private confirm(mark: string): Promise<void> {
    const number = ++this.lastMark;
    return new Promise((resolve) => {
      this.unconfirmed.set(number, () => {
        this.unconfirmed.delete(number);
        resolve();
      });
      this.send({ event: 'mark', number, text: mark });
    });
  }

  private wake(params: Params): { bootId: string } {
    const epochMillis = whole(params, 'epochMillis');
    const entropy = Buffer.from(text(params, 'entropy'), 'base64');
    this.onlyInGuest();
    native.addEntropy(entropy);
    native.setClock(epochMillis);
    return { bootId: bootId() };
  }

  private onlyInGuest(): void {
    if (!this.options.guest) throw new ParamsError('this is a real machine');
  }
}

function hello(): Hello {
  return {
    protocol: agentProtocol,
    version,
    kernel: release(),
    machine: machine(),
    node: process.version,
    time: Date.now(),
    uid: process.getuid?.() ?? -1,
    pid: process.pid,
  };
}

/** The kernel makes it up when it is first asked for. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Without dmesg(1), which takes a second to start where every page of it is new. */
function kernelLog(): { text: string } {
  return {
    text: native
      .kernelLog()
      .replaceAll(/^<\d+>/gm, '')
      .slice(-kernelLogBytes),
  };
}

function failureOf(error: unknown): AgentFailure {
  const { message, code } = error as NodeJS.ErrnoException;
  return {
    message: error instanceof Error ? message : String(error),
    ...(typeof code === 'string' ? { code } : {}),
    ...(error instanceof PlugpullError ? { exitCode: error.exitCode } : {}),
    ...(error instanceof PlugpullError && error.remedy !== undefined ? { remedy: error.remedy } : {}),
  };
}
