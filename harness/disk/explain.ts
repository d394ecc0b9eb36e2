/** Says of a write on the disk what it was: a part of a file, or of the file system's own. */
import { execa } from 'execa';
import type { TimelineEntry } from '../core/events.js';
import type { Choices } from './enumerate.js';
import type { MappedExtent } from './line-process.js';
import { listOf } from './ranges.js';
import { dataFolder, type Recording } from './recording.js';
import type { Epoch, Operation } from './trace-index.js';

export interface Region {
  name: string;
  offset: number;
  length: number;
}

export interface Place {
  /** What a person calls it: `journal`, `metadata`, or a file's name. */
  what: string;
  file?: string;
  offset?: number;
}

/** Names places on the disk by the maps that were taken while the target ran. */
export class DiskMap {
  private constructor(
    private readonly recording: Pick<Recording, 'maps'>,
    private readonly regions: readonly Region[],
    private readonly translate: (extent: MappedExtent) => number,
  ) {}

  static async of(recording: Recording): Promise<DiskMap> {
    const { type } = recording.fs;
    if (type === 'ext4')
      return new DiskMap(recording, await ext4Regions(recording.base), ({ physical }) => physical);
    if (type === 'xfs')
      return new DiskMap(recording, await xfsRegions(recording.base), ({ physical }) => physical);
    const chunks = type === 'btrfs' ? await btrfsChunks(recording.base) : [];
    return new DiskMap(recording, btrfsRegions(chunks), ({ physical }) => toPhysical(chunks, physical));
  }

  static from(maps: Recording['maps'], regions: readonly Region[]): DiskMap {
    return new DiskMap({ maps }, regions, ({ physical }) => physical);
  }

  /** `acked`: about when the write was made; the nearest later map is asked first, since new files are only in that. */
  place(offset: number, acked: number): Place {
    const { maps } = this.recording;
    const later = maps.findIndex(({ commit }) => commit > acked);
    const order =
      later < 0 ? maps.toReversed() : [...maps.slice(later), ...maps.slice(0, later).toReversed()];
    for (const { extents } of order) {
      for (const extent of extents) {
        const start = this.translate(extent);
        if (offset < start || offset >= start + extent.length) continue;
        const file = extent.file.startsWith(`${dataFolder}/`)
          ? extent.file.slice(dataFolder.length + 1)
          : extent.file;
        return { what: file, file, offset: extent.logical + offset - start };
      }
    }
    const region = this.regions.find((one) => offset >= one.offset && offset < one.offset + one.length);
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
  return `${count}${list.slice(0, named).join('; ')}${more}`;
}

/** Output of a program that only makes names better: without it, places are called metadata. */
async function ask(program: string, ...args: string[]): Promise<string> {
  const env = { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const asked = await execa(program, args, { reject: false, timeout: 20_000, env });
  return asked.exitCode === 0 ? asked.stdout : '';
}

async function ext4Regions(image: string): Promise<Region[]> {
  const block = 4096;
  const text = await ask('debugfs', '-R', 'ex <8>', image);
  const regions: Region[] = [{ name: 'superblock', offset: 0, length: block }];
  // Level Entries Logical Physical Length: `0/ 0   1/  1     0 -  1023   8193 -   9216   1024`
  for (const match of text.matchAll(/^\s*\d+\/\s*\d+\s+\d+\/\s*\d+\s+\d+\s*-\s*\d+\s+(\d+)\s*-\s*(\d+)/gm)) {
    const first = Number(match[1]);
    regions.push({ name: 'journal', offset: first * block, length: (Number(match[2]) - first + 1) * block });
  }
  return regions;
}

async function xfsRegions(image: string): Promise<Region[]> {
  const text = await ask(
    'xfs_db',
    '-r',
    '-c',
    'sb 0',
    '-c',
    'p logstart logblocks blocksize agblocks agblklog',
    image,
  );
  const value = (name: string): number =>
    Number(new RegExp(`^${name} = (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
  const regions: Region[] = [{ name: 'superblock', offset: 0, length: 4096 }];
  // A block number of XFS is its allocation group's number, shifted, and its number in that.
  const start = value('logstart');
  const group = Math.floor(start / 2 ** value('agblklog'));
  const block = group * value('agblocks') + (start % 2 ** value('agblklog'));
  if (Number.isFinite(block)) {
    regions.push({
      name: 'log',
      offset: block * value('blocksize'),
      length: value('logblocks') * value('blocksize'),
    });
  }
  return regions;
}

interface Chunk {
  logical: number;
  length: number;
  kind: string;
  stripes: number[];
}

async function btrfsChunks(image: string): Promise<Chunk[]> {
  return parseChunks(await ask('btrfs', 'inspect-internal', 'dump-tree', '-t', 'chunk', image));
}

export function parseChunks(text: string): Chunk[] {
  const chunks: Chunk[] = [];
  for (const line of text.split('\n')) {
    const key = /CHUNK_ITEM (\d+)\)/.exec(line);
    if (key !== null) chunks.push({ logical: Number(key[1]), length: 0, kind: 'metadata', stripes: [] });
    const chunk = chunks.at(-1);
    if (chunk === undefined) continue;
    const length = /^\s+length (\d+) owner .* type (\w+)/.exec(line);
    if (length !== null) {
      chunk.length = Number(length[1]);
      chunk.kind = length[2] ?? 'METADATA';
    }
    const stripe = /stripe \d+ devid \d+ offset (\d+)/.exec(line);
    if (stripe !== null) chunk.stripes.push(Number(stripe[1]));
  }
  return chunks;
}

function btrfsRegions(chunks: Chunk[]): Region[] {
  const regions: Region[] = [{ name: 'superblock', offset: 65_536, length: 4096 }];
  for (const { length, kind, stripes } of chunks) {
    const name = kind === 'DATA' ? 'data blocks' : kind === 'SYSTEM' ? 'chunk tree' : 'trees';
    for (const offset of stripes) regions.push({ name, offset, length });
  }
  return regions;
}

function toPhysical(chunks: Chunk[], logical: number): number {
  const chunk = chunks.find((one) => logical >= one.logical && logical < one.logical + one.length);
  const stripe = chunk?.stripes[0];
  return chunk === undefined || stripe === undefined ? logical : stripe + logical - chunk.logical;
}
