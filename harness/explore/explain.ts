/** What a power cut did, in words and as a picture, from the smallest state that still breaks the target. */
import type { ModelChange } from '../../native/index.js';
import type { TimelineEntry } from '../core/events.js';
import type { ExploredFinding } from '../worker/job.js';

const pageBytes = 4096;
/** Changes named one by one in the sentence; the rest are counted. */
const named = 3;

/** One sentence: what was violated, where the power was cut, what was lost or torn, what was there. */
export function explainFinding({ verdict, reason, changes, point, operations }: ExploredFinding): string {
  const missing = changes.filter(({ fate }) => fate === 'lost' || fate === 'torn');
  const kept = changes.filter(({ fate }) => fate === 'kept');
  const step = operations.findLast((operation) => operation.step !== undefined)?.step;
  const where = `power cut after operation ${point}${step === undefined ? '' : `, past ${step}`}`;
  const lost =
    missing.length === 0
      ? 'nothing that was read was lost'
      : `${tally(missing)}: ${missing.slice(0, named).map(describeChange).join('; ')}` +
        (missing.length > named ? `; and ${missing.length - named} more` : '');
  const there =
    kept.length === 0 ? '' : `; on the medium: ${kept.slice(0, named).map(describeChange).join('; ')}`;
  return `${verdict}: ${reason} – ${where}; ${lost}${there}`;
}

function tally(changes: ModelChange[]): string {
  const lost = changes.filter(({ fate }) => fate === 'lost').length;
  const torn = changes.length - lost;
  const parts = [];
  if (lost > 0) parts.push(`lost: ${count(lost, 'change')}`);
  if (torn > 0) parts.push(`torn: ${count(torn, 'write')}`);
  return parts.join(', ');
}

/** One change: "write of page 17 of heap.db (after redo.commit.captured)". */
export function describeChange({
  what,
  file,
  other,
  offset,
  length,
  step,
  detail,
  cut,
}: ModelChange): string {
  const name = baseName(file);
  const where =
    what === 'write'
      ? `${range(offset, length)} of ${name}`
      : other === ''
        ? name
        : `${name} to ${baseName(other)}`;
  const torn = detail === '' ? '' : ` (${detail})`;
  const since = step === '' ? '' : ` (after ${step})`;
  const recovery = cut > 1 ? ' by recovery' : '';
  return `${what}${recovery} of ${where}${torn}${since}`;
}

/** Pages where a write is made of whole ones, else bytes. */
function range(offset: number, length: number): string {
  if (offset % pageBytes === 0 && length % pageBytes === 0 && length > 0) {
    const first = offset / pageBytes;
    const last = first + length / pageBytes - 1;
    return first === last ? `page ${first}` : `pages ${first} to ${last}`;
  }
  return `bytes ${offset} to ${offset + length - 1}`;
}

const flushes = new Set(['fsync', 'fdatasync', 'msync', 'fsync of the directory']);

/** The operations before the cut, each with its fate, and the cut. */
export function timelineOf({ operations, firstOperation, changes, point }: ExploredFinding): TimelineEntry[] {
  const fates = new Map<number, ModelChange[]>();
  for (const change of changes) {
    if (change.cut === 1) fates.set(change.operation, [...(fates.get(change.operation) ?? []), change]);
  }
  const entries = operations.map((operation, i): TimelineEntry => {
    const { kind, file, offset, length, step } = operation;
    const common = {
      ...(file === undefined ? {} : { file: baseName(file) }),
      ...(step === undefined ? {} : { step }),
    };
    if (kind === 'ack') return { kind: 'ack', label: `commit ${length} acked` };
    if (kind === 'step') return { kind: 'step', label: step ?? 'step' };
    if (flushes.has(kind)) return { ...common, kind: 'flush', label: kind };
    const pending = fates.get(firstOperation + i);
    const fate = pending === undefined ? 'durable' : fateOf(pending);
    if (kind === 'write')
      return { ...common, kind: 'write', label: range(offset, length), offset, length, fate };
    return { ...common, kind: 'metadata', label: kind, fate };
  });
  return [...entries, { kind: 'cut', label: `power cut after operation ${point}` }];
}

/** The worst that became of any part of one operation. */
function fateOf(changes: ModelChange[]): 'kept' | 'lost' | 'torn' {
  if (changes.some(({ fate }) => fate === 'torn')) return 'torn';
  return changes.some(({ fate }) => fate === 'lost') ? 'lost' : 'kept';
}

function baseName(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
