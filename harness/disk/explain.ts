/** Says of a write on the disk what it was: a part of a file, or of the file system's own. */
import type { TimelineEntry } from '../core/events.js';
import type { Choices } from './enumerate.js';
import { layoutOf } from './file-systems.js';
import { asIs, type Layout, type Region } from './fs/kind.js';
import { listOf } from './ranges.js';
import { dataFolder, type Recording } from './recording.js';
import type { Epoch, Operation } from './trace-index.js';

export interface Place {
  /** What a person calls it: `journal`, `metadata`, or a file's name. */
  what: string;
  file?: string;
  offset?: number;
}

/** Names places on the disk by the maps that were taken while the target ran. */
export class DiskMap {
  private constructor(
    private readonly maps: Recording['maps'],
    private readonly layout: Layout,
  ) {}

  static async of({ fs, base, maps }: Recording): Promise<DiskMap> {
    return new DiskMap(maps, await layoutOf(fs.type, base));
  }

  static from(maps: Recording['maps'], regions: readonly Region[]): DiskMap {
    return new DiskMap(maps, { regions, physical: asIs });
  }

  /** `acked`: about when the write was made; the nearest later map is asked first, since new files are only in that. */
  place(offset: number, acked: number): Place {
    const { maps } = this;
    const later = maps.findIndex(({ commit }) => commit > acked);
    const order =
      later < 0 ? maps.toReversed() : [...maps.slice(later), ...maps.slice(0, later).toReversed()];
    for (const { extents } of order) {
      for (const extent of extents) {
        const start = this.layout.physical(extent.physical);
        if (offset < start || offset >= start + extent.length) continue;
        const file = extent.file.startsWith(`${dataFolder}/`)
          ? extent.file.slice(dataFolder.length + 1)
          : extent.file;
        return { what: file, file, offset: extent.logical + offset - start };
      }
    }
    const region = this.layout.regions.find(
      (one) => offset >= one.offset && offset < one.offset + one.length,
    );
    return { what: region?.name ?? 'metadata' };
  }
}

/** e.g. `page 17 of heap.db (4096 bytes)`, `the journal (8192 bytes)`. */
export function describePlace({ what, file, offset }: Place, length: number): string {
  if (file === undefined || offset === undefined) return `${length} bytes of the file system's ${what}`;
  const page = offset % 4096 === 0 ? `page ${offset / 4096}` : `offset ${offset}`;
  return length === 4096 ? `${page} of ${file}` : `${length} bytes from ${page} of ${file}`;
}

/** @param earlier the epochs before, where they are known: what a flush had made durable is in the picture too */
export function explainState(
  map: DiskMap,
  epoch: Epoch,
  choices: Choices,
  earlier: readonly Epoch[] = [],
): { text: string; timeline: TimelineEntry[] } {
  const told: Record<'lost' | 'torn' | 'kept', string[]> = { lost: [], torn: [], kept: [] };
  const picture = new Picture(map);
  picture.durable([...earlier, epoch]);
  for (const [index, operation] of epoch.pending.entries()) {
    const mask = choices.get(index);
    const fate = mask === undefined ? 'lost' : mask === null ? 'kept' : 'torn';
    const label = picture.operation(operation, fate);
    told[fate].push(mask === undefined || mask === null ? label : `${arrived(mask)} of ${label}`);
  }
  const { lost, torn, kept } = told;
  const timeline = picture.cut(epoch.ackedLast);
  const where = epoch.step === null ? '' : `, after the step ${epoch.step}`;
  const parts = [
    ...(lost.length === 0 ? [] : [`lost: ${some(lost)}`]),
    ...(torn.length === 0 ? [] : [`torn: ${some(torn)}`]),
    ...(kept.length === 0 ? [] : [`on disk: ${some(kept)}`]),
  ];
  const whole = 'of what the disk was sent, nothing was lost';
  const text =
    epoch.pending.length === 0
      ? `${whole}: all of it had been flushed`
      : lost.length + torn.length === 0
        ? `${whole}; not yet flushed, but ${parts.join('; ')}`
        : parts.join('; ');
  return { text: `${text}${where}`, timeline };
}

export const ackLabel = (commit: number): string => `commit ${commit} was acked`;

/** Of a torn write. */
function arrived(mask: readonly boolean[]): string {
  const units = mask.flatMap((on, i) => (on ? [i] : []));
  const parts = units.length === 1 ? 'part' : 'parts';
  return `only ${parts} ${listOf(units)} of ${mask.length}`;
}

/** Operations before the epoch of the cut that are in its picture. */
const mostDurable = 16;

/** The operations around a cut, in their order. */
class Picture {
  private readonly entries: TimelineEntry[] = [];
  private acked = -1;

  constructor(private readonly map: DiskMap) {}

  /** What became durable in the last of these epochs but one or two, each with the flush that made it so. */
  durable(epochs: readonly Epoch[]): void {
    const flushed = epochs
      .slice(0, -1)
      .map((epoch, i) => {
        const still = new Set(epochs[i + 1]?.pending.map(({ id }) => id));
        return epoch.pending.filter(({ id }) => !still.has(id));
      })
      .filter((operations) => operations.length > 0);
    let left = mostDurable;
    const shown = flushed.toReversed().flatMap((operations) => {
      if (left <= 0) return [];
      left -= operations.length;
      return [operations.slice(-(left + operations.length))];
    });
    this.acked = shown.at(-1)?.[0]?.acked ?? epochs.at(-1)?.ackedFirst ?? -1;
    for (const operations of shown.toReversed()) {
      for (const operation of operations) this.operation(operation, 'durable');
      this.entries.push({ kind: 'flush', label: 'the disk had flushed what came before' });
    }
    this.ack(epochs.at(-1)?.ackedFirst ?? -1);
  }

  /** Gives what it is called. */
  operation(operation: Operation, fate: NonNullable<TimelineEntry['fate']>): string {
    const place = this.map.place(operation.offset, operation.acked);
    const label = describe(operation, place);
    this.ack(operation.acked);
    this.entries.push({
      kind: place.file === undefined ? 'metadata' : 'write',
      label,
      ...(place.file === undefined ? {} : { file: place.file }),
      offset: place.offset ?? operation.offset,
      length: operation.length,
      fate,
      ...(operation.step === null ? {} : { step: operation.step }),
    });
    return label;
  }

  cut(acked: number): TimelineEntry[] {
    this.ack(acked);
    return [...this.entries, { kind: 'cut', label: 'power cut' }];
  }

  private ack(commit: number): void {
    if (commit <= this.acked) return;
    this.acked = commit;
    this.entries.push({ kind: 'ack', label: ackLabel(commit) });
  }
}

function describe(operation: Operation, place: Place): string {
  const what = describePlace(place, operation.length);
  const named = operation.kind === 'write' ? what : `the ${operation.kind} of ${what}`;
  return operation.step === null ? named : `${named} [after ${operation.step}]`;
}

const named = 6;

function some(list: string[]): string {
  const count = `${list.length} write${list.length === 1 ? '' : 's'}, `;
  const more = list.length > named ? ` and ${list.length - named} more` : '';
  return `${count}${list.slice(0, named).join(', ')}${more}`;
}
