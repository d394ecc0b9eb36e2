/** The controller's side of an agent: calls over any stream that carries bytes both ways. */
import type { Duplex } from 'node:stream';
import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { Tail } from '../subjects/tail.js';
import { LineCutter } from './lines.js';
import {
  agentProtocol,
  chunkBytes,
  maxLineBytes,
  type AgentFailure,
  type AgentMessage,
  type AgentMethod,
  type AgentMethods,
  type Hello,
} from './protocol.js';

/** `refused`: the agent answered with an error; `timeout`: it gave no answer; `closed`: the stream ended; `garbage`: it speaks no protocol. */
export type AgentErrorKind = 'refused' | 'timeout' | 'closed' | 'garbage';

export class AgentError extends PlugpullError {
  override name = 'AgentError';
  constructor(
    readonly kind: AgentErrorKind,
    message: string,
    readonly failure: AgentFailure | null = null,
  ) {
    super(message, failure?.exitCode ?? exitCodes.ownFailure, failure?.remedy);
  }
}

export interface CallOptions {
  /** Longest wait for the answer; the default is 60 s. */
  timeoutMillis?: number;
}

interface Waiting {
  method: string;
  resolve: (result: unknown) => void;
  reject: (error: AgentError) => void;
  timer: NodeJS.Timeout;
}

const defaultTimeout = 60_000;
/** Lines that are not the protocol's (a login banner, say) that are passed over before the first answer. */
const maxBanner = 64;

/** Which marks wait for a confirmation: called with each, in order; the work goes on when the promise resolves. */
export type MarkListener = (text: string) => void | Promise<void>;

export class AgentClient {
  /** What the agent said for people, bounded. */
  readonly log = new Tail();
  /** Settles once nothing more can be called, with the reason. */
  readonly closed: Promise<AgentError>;
  private readonly waiting = new Map<number, Waiting>();
  private readonly listeners: MarkListener[] = [];
  private lastId = 0;
  private banner = 0;
  private heard = false;
  private end: AgentError | null = null;
  private settleClosed: (error: AgentError) => void = () => undefined;

  /** @param what its name in errors, e.g. `the agent in the guest` */
  constructor(
    private readonly stream: Duplex,
    private readonly what = 'the agent',
  ) {
    this.closed = new Promise((resolve) => {
      this.settleClosed = resolve;
    });
    const cutter = new LineCutter(
      maxLineBytes,
      (line) => this.take(line),
      () => this.fail('garbage', `sent a line of more than ${maxLineBytes} bytes`),
    );
    stream.on('data', (chunk: Buffer) => cutter.push(chunk));
    stream.on('error', (error) => this.fail('closed', `cannot be reached any more: ${error.message}`));
    stream.on('close', () => this.fail('closed', 'cannot be reached any more'));
    stream.on('end', () => this.fail('closed', 'ended the connection'));
  }

  /** Asks for something and gives the answer. Rejects with an AgentError. */
  call<M extends AgentMethod>(
    method: M,
    params: AgentMethods[M]['params'],
    options: CallOptions = {},
  ): Promise<AgentMethods[M]['result']> {
    const { timeoutMillis = defaultTimeout } = options;
    if (this.end !== null) return Promise.reject(this.end);
    const id = ++this.lastId;
    const line = `${JSON.stringify({ id, method, params })}\n`;
    if (Buffer.byteLength(line) > maxLineBytes) {
      return Promise.reject(
        new AgentError('refused', `${method}: more than ${maxLineBytes} bytes in one request`),
      );
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(
          new AgentError('timeout', `${this.what} gave no answer to ${method} in ${timeoutMillis / 1000} s`),
        );
      }, timeoutMillis);
      this.waiting.set(id, {
        method,
        resolve: resolve as (result: unknown) => void,
        reject,
        timer,
      });
      this.stream.write(line);
    });
  }

  /** Says hello and refuses an agent of another protocol. */
  async hello(options: CallOptions = {}): Promise<Hello> {
    const hello = await this.call('hello', {}, options);
    if (hello.protocol !== agentProtocol) {
      throw new AgentError(
        'garbage',
        `${this.what} speaks protocol ${hello.protocol}, this is ${agentProtocol}`,
      );
    }
    return hello;
  }

  /** Writes a whole file there, in pieces. @param mode permission bits */
  async putFile(path: string, mode: number, data: Buffer, options: CallOptions = {}): Promise<void> {
    for (let offset = 0; offset === 0 || offset < data.length; offset += chunkBytes) {
      const part = data.subarray(offset, offset + chunkBytes).toString('base64');
      await this.call('put', { path, mode, offset, data: part }, options);
    }
  }

  /** Reads a file of at most `most` bytes. */
  async getFile(path: string, most: number, options: CallOptions = {}): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let offset = 0; ;) {
      const { data, bytes } = await this.call('get', { path, offset, bytes: chunkBytes }, options);
      if (bytes > most) throw new AgentError('refused', `${path} has ${bytes} bytes, more than ${most}`);
      const part = Buffer.from(data, 'base64');
      parts.push(part);
      offset += part.length;
      if (part.length === 0 || offset >= bytes) return Buffer.concat(parts);
    }
  }

  /** Is told of every mark that needs a confirmation (`Marks.confirm`). Returns what takes the listener away again. */
  onMark(listener: MarkListener): () => void {
    this.listeners.push(listener);
    return () => {
      const at = this.listeners.indexOf(listener);
      if (at >= 0) this.listeners.splice(at, 1);
    };
  }

  /** Ends the connection; what waits is rejected. */
  close(): void {
    this.fail('closed', 'was left');
  }

  private take(line: string): void {
    if (this.end !== null || line === '') return;
    let message: AgentMessage;
    try {
      message = JSON.parse(line) as AgentMessage;
      if (typeof message !== 'object' || !('id' in message || 'event' in message)) throw new Error();
    } catch {
      this.takeNoise(line);
      return;
    }
    this.heard = true;
    if ('event' in message) {
      if (message.event === 'log') this.log.push(Buffer.from(message.text));
      else void this.confirm(message.number, message.text);
      return;
    }
    const waiting = this.waiting.get(message.id);
    if (waiting === undefined) return; // its time was over
    this.waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if ('error' in message) {
      const { error } = message;
      waiting.reject(new AgentError('refused', `${waiting.method}: ${error.message}`, error));
    } else {
      waiting.resolve(message.result);
    }
  }

  private takeNoise(line: string): void {
    this.log.push(Buffer.from(`${line}\n`));
    if (!this.heard && ++this.banner <= maxBanner) return;
    this.fail('garbage', `said what is not its protocol: ${JSON.stringify(line.slice(0, 120))}`);
  }

  private async confirm(number: number, text: string): Promise<void> {
    try {
      for (const listener of [...this.listeners]) await listener(text);
    } catch (error) {
      this.fail('closed', `was left, because a mark could not be recorded: ${String(error)}`);
      return;
    }
    if (this.end === null) this.stream.write(`${JSON.stringify({ confirm: number })}\n`);
  }

  private fail(kind: AgentErrorKind, what: string): void {
    if (this.end !== null) return;
    const said = this.heard ? '' : this.log.toString().trim().slice(-400);
    this.end = new AgentError(kind, `${this.what} ${what}${said === '' ? '' : `: ${said}`}`);
    for (const waiting of this.waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(this.end);
    }
    this.waiting.clear();
    this.stream.destroy();
    this.settleClosed(this.end);
  }
}
