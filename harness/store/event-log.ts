/** The event log: one JSON object a line, append-only, flushed to the medium at least each second. */
import {
  closeSync,
  createReadStream,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { storageError, UsageError, type PlugpullError } from '../core/errors.js';
import { eventSchema, type RunEvent } from '../core/events.js';

const bufferBytes = 64 * 1024;
const flushMillis = 200;
const syncMillis = 1000;

/** After a write that failed, nothing more is written: what was begun is a torn last line, which a reader leaves out. */
export class EventLog {
  private pending: string[] = [];
  private pendingBytes = 0;
  private lastSync = performance.now();
  private failure: PlugpullError | null = null;
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly fd: number,
    private readonly file: string,
  ) {
    this.timer = setInterval(() => {
      try {
        this.flush();
      } catch {
        // Whoever writes next is told.
      }
    }, flushMillis);
    this.timer.unref();
  }

  /** Opens a log to append to. A last line that a crash left torn is cut off. */
  static append(file: string): EventLog {
    const fd = openSync(file, 'a+');
    cutTornTail(fd);
    return new EventLog(fd, file);
  }

  /** Throws UnavailableError once the log cannot be written, as where its disk is full. */
  write(event: RunEvent): void {
    if (this.failure !== null) throw this.failure;
    const line = `${JSON.stringify(event)}\n`;
    this.pending.push(line);
    this.pendingBytes += line.length;
    if (this.pendingBytes >= bufferBytes) this.flush();
  }

  /** Hands what is pending to the OS, and to the medium once a second. */
  flush(): void {
    this.writePending();
    if (performance.now() - this.lastSync >= syncMillis) this.sync();
  }

  /** Everything written so far is on the medium when this returns. */
  sync(): void {
    this.lastSync = performance.now();
    this.writePending();
    this.attempt(() => fdatasyncSync(this.fd));
  }

  close(): void {
    clearInterval(this.timer);
    try {
      if (this.failure === null) this.sync();
    } finally {
      closeSync(this.fd);
    }
  }

  private writePending(): void {
    if (this.failure !== null) throw this.failure;
    if (this.pending.length === 0) return;
    const bytes = Buffer.from(this.pending.join(''));
    this.pending = [];
    this.pendingBytes = 0;
    this.attempt(() => {
      for (let done = 0; done < bytes.length;) done += writeSync(this.fd, bytes, done);
    });
  }

  private attempt(action: () => void): void {
    if (this.failure !== null) throw this.failure;
    try {
      action();
    } catch (error) {
      this.failure = storageError(error, `cannot write ${this.file}`);
      throw this.failure;
    }
  }
}

function cutTornTail(fd: number): void {
  const { size } = fstatSync(fd);
  if (size === 0) return;
  const chunk = Buffer.alloc(bufferBytes);
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - chunk.length);
    const count = readSync(fd, chunk, 0, end - start, start);
    const newline = chunk.lastIndexOf(10, count - 1);
    if (newline >= 0) {
      ftruncateSync(fd, start + newline + 1);
      return;
    }
    end = start;
  }
  ftruncateSync(fd, 0);
}

/** Reads a log, also one that is being written: a torn last line is left out. */
export async function* readEvents(file: string): AsyncGenerator<RunEvent> {
  if (!existsSync(file)) throw new UsageError(`there is no event log ${file}`, 'name a run directory');
  let number = 0;
  let torn: { number: number; error: string } | null = null;
  for await (const line of createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity })) {
    if (torn !== null) throw new UsageError(`${file}: line ${torn.number} is not JSON: ${torn.error}`);
    number++;
    let event: RunEvent;
    try {
      event = JSON.parse(line) as RunEvent;
    } catch (error) {
      torn = { number, error: (error as Error).message };
      continue;
    }
    if (number === 1) checkSchema(file, event);
    yield event;
  }
}

function checkSchema(file: string, first: RunEvent): void {
  if (first.type !== 'run-started') throw new UsageError(`${file} does not begin as the event log of a run`);
  const found: string = first.schema;
  if (found !== eventSchema) {
    throw new UsageError(`${file} has schema ${found}; this version reads ${eventSchema}`);
  }
}
