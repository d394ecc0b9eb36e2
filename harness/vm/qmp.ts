/**
 * A client of QMP, the protocol by which QEMU is told what to do: JSON lines, a greeting first, answers that name their
 * command by an id, events between them. It knows nothing about machines.
 */
import type { Duplex } from 'node:stream';
import { LineCutter } from '../guest/lines.js';

/** `refused`: the command's own error, with its class; the others concern the connection and end it, but for `timeout`. */
export type QmpErrorKind = 'refused' | 'timeout' | 'closed' | 'garbage';

export class QmpError extends Error {
  override name = 'QmpError';
  constructor(
    readonly kind: QmpErrorKind,
    readonly command: string,
    readonly desc: string,
    /** QEMU's class of the error, e.g. GenericError. */
    readonly errorClass: string | null = null,
  ) {
    super(`QMP ${command}: ${desc}`);
  }
}

export interface QmpEvent {
  event: string;
  data: Record<string, unknown>;
  /** Milliseconds since 1970, by QEMU's clock. */
  time: number;
}

export interface QmpOptions {
  /** Longest wait; the default is 10 s. */
  timeoutMillis?: number;
}

interface Waiting {
  command: string;
  resolve: (value: unknown) => void;
  reject: (error: QmpError) => void;
  timer: NodeJS.Timeout;
}

type Message = Record<string, unknown>;

const defaultTimeout = 10_000;
const maxLineBytes = 4 * 1024 ** 2;

export class QmpClient {
  /** Settles once the connection has ended, with the reason. */
  readonly closed: Promise<QmpError>;
  private readonly waiting = new Map<number, Waiting>();
  private readonly listeners = new Set<(event: QmpEvent) => void>();
  private lastId = 0;
  private end: QmpError | null = null;
  private greeted: (() => void) | null = null;
  private settleClosed: (error: QmpError) => void = () => undefined;

  private constructor(private readonly stream: Duplex) {
    this.closed = new Promise((resolve) => {
      this.settleClosed = resolve;
    });
    const cutter = new LineCutter(
      maxLineBytes,
      (line) => this.take(line),
      () => this.fail('garbage', `a line of more than ${maxLineBytes} bytes`),
    );
    stream.on('data', (chunk: Buffer) => cutter.push(chunk));
    stream.on('error', (error) => this.fail('closed', error.message));
    stream.on('end', () => this.fail('closed', 'the connection was ended'));
    stream.on('close', () => this.fail('closed', 'the connection was ended'));
  }

  /** Waits for the greeting on a stream that is connected, or is about to be, and negotiates. */
  static async open(stream: Duplex, options: QmpOptions = {}): Promise<QmpClient> {
    const { timeoutMillis = defaultTimeout } = options;
    const client = new QmpClient(stream);
    let timer: NodeJS.Timeout | undefined;
    const greeting = new Promise<void>((resolve, reject) => {
      client.greeted = resolve;
      timer = setTimeout(() => {
        reject(new QmpError('timeout', 'connect', `no greeting in ${timeoutMillis / 1000} s`));
      }, timeoutMillis);
    });
    try {
      const ended = client.closed.then((error) => Promise.reject(error));
      await Promise.race([greeting, ended]);
      await client.execute('qmp_capabilities', undefined, options);
    } catch (error) {
      client.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return client;
  }

  /** Runs a command and gives its `return`. Several may be under way. */
  execute(
    command: string,
    args?: Record<string, unknown>,
    { timeoutMillis = defaultTimeout }: QmpOptions = {},
  ): Promise<unknown> {
    if (this.end !== null) return Promise.reject(new QmpError(this.end.kind, command, this.end.desc));
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new QmpError('timeout', command, `no answer in ${timeoutMillis / 1000} s`));
      }, timeoutMillis);
      this.waiting.set(id, { command, resolve, reject, timer });
      const request = { execute: command, ...(args === undefined ? {} : { arguments: args }), id };
      this.stream.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** Calls the listener with every event from now on. Returns what takes it away again. */
  on(listener: (event: QmpEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The next event that `wanted` accepts. */
  async waitFor(
    name: string,
    wanted: (event: QmpEvent) => boolean = () => true,
    { timeoutMillis = defaultTimeout }: QmpOptions = {},
  ): Promise<QmpEvent> {
    let timer: NodeJS.Timeout | undefined;
    let forget: () => void = () => undefined;
    const came = new Promise<QmpEvent>((resolve, reject) => {
      timer = setTimeout(() => {
        reject(new QmpError('timeout', name, `no such event in ${timeoutMillis / 1000} s`));
      }, timeoutMillis);
      forget = this.on((event) => {
        if (event.event === name && wanted(event)) resolve(event);
      });
    });
    try {
      const ended = this.closed.then((error) => Promise.reject(new QmpError(error.kind, name, error.desc)));
      return await Promise.race([came, ended]);
    } finally {
      clearTimeout(timer);
      forget();
    }
  }

  close(): void {
    this.fail('closed', 'the connection was closed');
  }

  private take(line: string): void {
    if (this.end !== null || line.trim() === '') return;
    let message: Message;
    try {
      const parsed: unknown = JSON.parse(line);
      if (typeof parsed !== 'object' || parsed === null) throw new Error();
      message = parsed as Message;
    } catch {
      this.fail('garbage', `not a JSON object: ${line.slice(0, 120)}`);
      return;
    }
    if ('QMP' in message) this.greeted?.();
    else if (typeof message.event === 'string') this.tell(message);
    else if ('return' in message || 'error' in message) this.answer(message);
    else this.fail('garbage', `neither an answer nor an event: ${line.slice(0, 120)}`);
  }

  private tell(message: Message): void {
    const { seconds = 0, microseconds = 0 } = (message.timestamp ?? {}) as Record<string, number>;
    const event = {
      event: String(message.event),
      data: (message.data ?? {}) as Record<string, unknown>,
      time: seconds * 1000 + microseconds / 1000,
    };
    for (const listener of [...this.listeners]) listener(event);
  }

  private answer(message: Message): void {
    const { class: errorClass = null, desc = '' } = (message.error ?? {}) as {
      class?: string;
      desc?: string;
    };
    if (typeof message.id !== 'number') {
      // QEMU could not even read what it was sent.
      this.fail('garbage', desc === '' ? 'an answer to nothing' : desc);
      return;
    }
    const waiting = this.waiting.get(message.id);
    if (waiting === undefined) return; // its time was over
    this.waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if ('error' in message) waiting.reject(new QmpError('refused', waiting.command, desc, errorClass));
    else waiting.resolve(message.return);
  }

  private fail(kind: QmpErrorKind, desc: string): void {
    if (this.end !== null) return;
    this.end = new QmpError(kind, 'connection', desc);
    for (const waiting of this.waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(new QmpError(kind, waiting.command, desc));
    }
    this.waiting.clear();
    this.stream.destroy();
    this.settleClosed(this.end);
  }
}
