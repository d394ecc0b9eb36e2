/** Says of a write on the disk what it was: a part of a file, or of the file system's own. */
import { execa } from 'execa';
import type { TimelineEntry } from '../core/events.js';
import type { Choices } from './enumerate.js';
import type { MappedExtent } from './line-process.js';
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

export function explainState(
  map: DiskMap,
  epoch: Epoch,
  choices: Choices,
): { text: string; timeline: TimelineEntry[] } {
  const lost: string[] = [];
  const kept: string[] = [];
  const timeline: TimelineEntry[] = [];
  let acked = epoch.ackedFirst;
  for (const [index, operation] of epoch.pending.entries()) {
    const place = map.place(operation.offset, operation.acked);
    const mask = choices.get(index);
    const fate = mask === undefined ? 'lost' : mask === null ? 'kept' : 'torn';
    const label = describe(operation, place);
    if (operation.acked > acked) {
      acked = operation.acked;
      timeline.push({ kind: 'ack', label: `commit ${acked} was acked` });
    }
    timeline.push({
      kind: place.file === undefined ? 'metadata' : 'write',
      label,
      ...(place.file === undefined ? {} : { file: place.file }),
      offset: place.offset ?? operation.offset,
      length: operation.length,
      fate,
      ...(operation.step === null ? {} : { step: operation.step }),
    });
    if (fate === 'lost') lost.push(label);
    else if (fate === 'torn') {
      const units = mask?.map((on, i) => (on ? i : -1)).filter((i) => i >= 0) ?? [];
      lost.push(`${label}, of which only units ${units.join(', ')} arrived`);
    } else kept.push(label);
  }
  if (epoch.ackedLast > acked) timeline.push({ kind: 'ack', label: `commit ${epoch.ackedLast} was acked` });
  timeline.push({ kind: 'cut', label: 'power cut' });
  const where = epoch.step === null ? '' : `, after the step ${epoch.step}`;
  const text =
    epoch.pending.length === 0
      ? `nothing was pending${where}: the disk held all that it had been told to keep`
      : lost.length === 0
        ? `nothing was lost; not yet flushed, but on disk: ${some(kept)}${where}`
        : `lost: ${some(lost)}${kept.length === 0 ? '' : `; on disk: ${some(kept)}`}${where}`;
  return { text, timeline };
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
