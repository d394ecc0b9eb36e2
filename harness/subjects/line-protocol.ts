/**
 * The child's side of the line protocol, as bytes arrive on its stdout:
 *
 *     plugpull commit K     (run; K one above the last)
 *     plugpull state K      (check)
 *
 * A line counts once its newline has come: what a killed program leaves without one was never acknowledged.
 * Lines that begin with `plugpull ` are the protocol's; all others are its log.
 */
import { Tail } from './tail.js';

/** Longest line that can belong to the protocol; longer ones are log. */
const maxLine = 256;
const prefix = Buffer.from('plugpull ');
const pattern = /^plugpull (commit|state) (0|[1-9]\d{0,14})[ \t\r]*$/;

export type Phase = 'setup' | 'run' | 'check';

export interface LineHandlers {
  onCommit?(commit: number): void;
  onState?(state: number): void;
  /** Called once; nothing is parsed after it. */
  onError?(message: string): void;
}

export class LineProtocol {
  /** Newest commit printed. A run starts after the commit 0 of its setup. */
  lastCommit: number;
  state: number | null = null;
  error: string | null = null;
  readonly log: Tail;

  /** Beginning of a line whose newline has not come yet. */
  #partial: Buffer = Buffer.alloc(0);
  /** That line is too long for the protocol: its beginning is already in the log. */
  #overlong = false;

  constructor(
    readonly phase: Phase,
    readonly handlers: LineHandlers = {},
    log = new Tail(),
  ) {
    this.lastCommit = phase === 'setup' ? -1 : 0;
    this.log = log;
  }

  push(chunk: Buffer): void {
    let start = 0;
    /** Start of bytes that go to the log together. */
    let logFrom = 0;
    for (let newline = chunk.indexOf(10); newline >= 0; newline = chunk.indexOf(10, start)) {
      const continued = this.#partial.length > 0 || this.#overlong;
      if (continued ? !this.#overlong : this.#mayBeProtocol(chunk, start, newline)) {
        const line = Buffer.concat([this.#partial, chunk.subarray(start, newline)]);
        if (this.#isProtocol(line)) {
          this.log.push(chunk.subarray(logFrom, start));
          logFrom = newline + 1;
          this.#take(line.toString('latin1'));
        } else if (continued) {
          this.log.push(this.#partial);
        }
      }
      this.#partial = this.#partial.subarray(0, 0);
      this.#overlong = false;
      start = newline + 1;
    }
    this.#keepPartial(chunk, logFrom, start);
  }

  /** The stream has ended. A line without its newline does not count. */
  finish(): void {
    this.log.push(this.#partial);
    this.#partial = Buffer.alloc(0);
  }

  #mayBeProtocol(chunk: Buffer, start: number, newline: number): boolean {
    return newline - start <= maxLine && chunk[start] === prefix[0];
  }

  #isProtocol(line: Buffer): boolean {
    return line.length <= maxLine && line.subarray(0, prefix.length).equals(prefix);
  }

  #keepPartial(chunk: Buffer, logFrom: number, start: number): void {
    const rest = chunk.subarray(start);
    if (!this.#overlong && this.#partial.length + rest.length <= maxLine) {
      this.log.push(chunk.subarray(logFrom, start));
      this.#partial = Buffer.concat([this.#partial, rest]);
      return;
    }
    if (this.#partial.length > 0) this.log.push(this.#partial);
    this.#partial = Buffer.alloc(0);
    this.#overlong = true;
    this.log.push(chunk.subarray(logFrom));
  }

  #take(line: string): void {
    if (this.error !== null) return;
    const shown = JSON.stringify(line.length > 120 ? `${line.slice(0, 120)}…` : line);
    const match = pattern.exec(line);
    if (match === null) {
      this.#fail(
        `malformed line ${shown}: expected "plugpull ${this.phase === 'check' ? 'state' : 'commit'} K"`,
      );
      return;
    }
    const number = Number(match[2]);
    if ((match[1] === 'state') !== (this.phase === 'check')) {
      this.#fail(`the line ${shown} has no place in ${this.phase}`);
    } else if (match[1] === 'commit') {
      this.#takeCommit(number, shown);
    } else if (this.state !== null && this.state !== number) {
      this.#fail(`told two states: ${this.state}, then ${number} in the line ${shown}`);
    } else {
      this.state = number;
      this.handlers.onState?.(number);
    }
  }

  #takeCommit(commit: number, shown: string): void {
    const expected = this.lastCommit + 1;
    if (this.phase === 'setup' && commit !== 0) {
      this.#fail(`setup makes commit 0 only, but printed ${shown}`);
    } else if (commit === this.lastCommit) {
      this.#fail(`commit ${commit} was printed twice (expected ${expected}): ${shown}`);
    } else if (commit !== expected) {
      this.#fail(`commit ${commit} was printed out of order (expected ${expected}): ${shown}`);
    } else {
      this.lastCommit = commit;
      this.handlers.onCommit?.(commit);
    }
  }

  #fail(message: string): void {
    this.error = message;
    this.handlers.onError?.(message);
  }
}
