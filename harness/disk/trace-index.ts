/** The index of a recorded trace: its epochs, what is pending in each, and what was acked when. */
import { loadExeca } from '../core/execa.js';
import { diskProgram } from './line-process.js';

export interface Operation {
  id: number;
  kind: 'write' | 'discard' | 'zero';
  offset: number;
  length: number;
  /** Newest commit acked when it was submitted. */
  acked: number;
  /** The last step of the target's protocol before it was submitted. */
  step: string | null;
}

/** Between two moments at which something became durable: any subset of `pending` may be on the medium. */
export interface Epoch {
  number: number;
  /** Newest commit acked where it begins and where it ends; -1: none. */
  ackedFirst: number;
  ackedLast: number;
  /** In the order of the choices. */
  pending: Operation[];
  /** The last step passed before its end. */
  step: string | null;
  /** A mark that an ack was given lies in it. */
  hasAck: boolean;
}

export interface TraceIndex {
  imageBytes: number;
  /** From the mark `begin` on: the target's life, not the making of the file system. */
  epochs: Epoch[];
  operations: number;
  flushes: number;
  /** Newest commit acked at the end. */
  acked: number;
  /** The workload said that it had ended: nothing was in flight at the end. */
  done: boolean;
  tornBytes: number;
}

export const beginMark = 'begin';
export const ackMark = (commit: number): string => `ack ${commit}`;

export async function readTraceIndex(trace: string): Promise<TraceIndex> {
  const { execa } = await loadExeca();
  const child = execa(diskProgram(), ['list', trace], { buffer: { stdout: false }, timeout: 600_000 });
  const reader = new IndexReader();
  for await (const line of child) reader.line(line);
  await child;
  return reader.index;
}

/** Takes the lines of `plugpull-disk list`. */
export class IndexReader {
  readonly index: TraceIndex = {
    imageBytes: 0,
    epochs: [],
    operations: 0,
    flushes: 0,
    acked: -1,
    done: false,
    tornBytes: 0,
  };
  private readonly operations = new Map<number, Operation>();
  private epoch: Epoch | null = null;
  private began = false;
  private step: string | null = null;

  line(line: string): void {
    const kind = line.slice(0, line.indexOf(' '));
    const rest = line.slice(kind.length + 1);
    switch (kind) {
      case 'trace': {
        const [bytes, torn] = rest.split(' ').map(Number);
        this.index.imageBytes = bytes ?? 0;
        this.index.tornBytes = torn ?? 0;
        break;
      }
      case 'e':
        this.epoch = {
          number: Number(rest),
          ackedFirst: this.index.acked,
          ackedLast: this.index.acked,
          pending: [],
          step: this.step,
          hasAck: false,
        };
        break;
      case 'w':
      case 'd':
      case 'z': {
        const [id = 0, offset = 0, length = 0] = rest.split(' ').map(Number);
        const name = kind === 'w' ? 'write' : kind === 'd' ? 'discard' : 'zero';
        this.operations.set(id, { id, kind: name, offset, length, acked: this.index.acked, step: this.step });
        this.index.operations++;
        break;
      }
      case 'f':
        this.index.flushes++;
        break;
      case 'm':
        this.mark(rest);
        break;
      case 'p':
        this.end(rest.split(' ').slice(1).map(Number));
        break;
      default:
    }
  }

  private mark(text: string): void {
    if (text === beginMark) {
      this.began = true;
      this.index.done = false;
    } else if (text.startsWith('ack ')) {
      this.index.acked = Number(text.slice(4));
      if (this.epoch !== null) this.epoch.hasAck = true;
    } else if (text.startsWith('s ')) {
      this.step = text.slice(text.indexOf(' ', 2) + 1);
    } else if (text.startsWith('done ')) {
      this.index.done = true;
    }
  }

  private end(ids: number[]): void {
    const { epoch } = this;
    if (epoch === null) return;
    epoch.ackedLast = this.index.acked;
    epoch.step = this.step;
    epoch.pending = ids.map((id) => this.operations.get(id)).filter((operation) => operation !== undefined);
    if (this.began) this.index.epochs.push(epoch);
    // What is no longer pending is not needed any more.
    const still = new Set(ids);
    for (const id of this.operations.keys()) if (!still.has(id)) this.operations.delete(id);
  }
}
