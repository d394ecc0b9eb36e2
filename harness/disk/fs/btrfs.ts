/** btrfs, small: mounting must be quick, and recovery takes as long as the log is. */
import { ask, mib, type FileSystemKind, type Region } from './kind.js';

/** Before this kernel, it refused a second file system with the same identity (EEXIST). */
const twinsSince = [6, 7] as const;

/** @param release of the kernel, such as 6.1.176 */
function mountsAtOnce(release: string): number {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  const [sinceMajor, sinceMinor] = twinsSince;
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor) ? Infinity : 1;
}

export const btrfs: FileSystemKind = {
  type: 'btrfs',
  bytes: 128 * mib,
  mkfs: ['mkfs.btrfs', '-q', '-K', '-f'],
  sized: (bytes) => ({ before: ['-b', String(bytes)] }),
  mount: ['nodiscard'],
  // The first gives up what was synced last; the second, what it cannot make sense of.
  repair: [
    ['btrfs', 'rescue', 'zero-log'],
    ['btrfs', 'check', '--repair', '--force'],
  ],
  pkg: 'btrfs-progs',
  clones: true,
  mountsAtOnce,
  logged: /btrfs/i,
  corruption: /BTRFS (critical|error)|BTRFS .*csum failed/,
  layout: async (image) => {
    const chunks = await btrfsChunks(image);
    return { regions: btrfsRegions(chunks), physical: (offset) => toPhysical(chunks, offset) };
  },
};

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
