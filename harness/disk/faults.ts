/** What can be wrong with the disk of rig `disk`, by name, and when it goes wrong in a run: drawn from the seed. */
import { deriveSeed, random, type Random } from '../core/seed.js';

export const diskFaultNames = [
  'none',
  'lying-flush',
  'torn-512',
  'eio-read',
  'eio-write',
  'eio-flush',
  'full',
  'slow',
] as const;
export type DiskFaultName = (typeof diskFaultNames)[number];

/** Requests of one kind fail with EIO, from the n-th after an ack on. */
export interface DiskErrors {
  requests: 'reads' | 'writes' | 'flushes';
  /** The commit whose ack they are counted from; with `remountAfter` the same, from the mounting. */
  afterCommit: number;
  /** So many still succeed. */
  after: number;
  /** So many fail; null: all from there on. */
  count: number | null;
}

/** What is wrong with the disk during one recorded run. */
export interface DiskFaults {
  lyingFlush?: boolean;
  /** Writes and flushes are answered so late. */
  delayMicros?: number;
  errors?: readonly DiskErrors[];
  /** Mounted anew after this commit (0: after the set-up), so that what is read then comes from the disk. */
  remountAfter?: number;
  /** After this commit there is no more space than so many bytes. */
  full?: { afterCommit: number; where: 'file-system' | 'device'; leaveBytes: number };
}

interface Kind {
  /** Recorded runs of one target on one file system: where the point of the fault matters, several. */
  runs: number;
  /** A target that holds shows that the rig is blind. */
  mustBeCaught?: boolean;
  /** Bytes in whose units a write can be torn. */
  tornBytes?: number;
  /** The program may end with an error, and the file system may shut down. */
  errors?: boolean;
  draw(draw: Random, target: { commits: number; canPause: boolean }): DiskFaults;
}

/** One in three errors stays, as of a disk that is broken; the others pass, as of one that has a hiccup. */
function errors(draw: Random, requests: DiskErrors['requests'], commits: number): DiskErrors {
  return {
    requests,
    afterCommit: draw.int(0, Math.max(0, commits - 2)),
    after: draw.int(0, requests === 'flushes' ? 3 : 11),
    count: draw.int(1, 3) === 1 ? null : draw.int(1, 4),
  };
}

/** A second point in every other run: what goes on after the first error meets another. */
function points(draw: Random, requests: DiskErrors['requests'], commits: number): readonly DiskErrors[] {
  const first = errors(draw, requests, commits);
  return draw.int(0, 1) === 0 || first.count === null ? [first] : [first, errors(draw, requests, commits)];
}

const kinds: Record<DiskFaultName, Kind> = {
  none: { runs: 1, draw: () => ({}) },
  'lying-flush': { runs: 1, mustBeCaught: true, draw: () => ({ lyingFlush: true }) },
  'torn-512': { runs: 1, tornBytes: 512, draw: () => ({}) },
  'eio-read': {
    runs: 6,
    errors: true,
    draw: (draw, { commits, canPause }) => {
      // A command runs from its set-up to its end without a pause in which the disk could be mounted anew.
      const remountAfter = canPause ? draw.int(0, Math.max(0, commits - 2)) : 0;
      // A few that fail are mostly those of reading ahead, and tried again.
      const count = draw.int(1, 3) === 1 ? draw.int(1, 4) : null;
      const first = { requests: 'reads', afterCommit: remountAfter, after: draw.int(0, 5), count } as const;
      return { remountAfter, errors: [first] };
    },
  },
  'eio-write': {
    runs: 8,
    errors: true,
    draw: (draw, { commits }) => ({ errors: points(draw, 'writes', commits) }),
  },
  'eio-flush': {
    runs: 8,
    errors: true,
    draw: (draw, { commits }) => ({ errors: points(draw, 'flushes', commits) }),
  },
  full: {
    runs: 16,
    errors: true,
    draw: (draw, { commits }) => ({
      full: {
        afterCommit: draw.int(0, Math.max(0, commits - 2)),
        where: draw.int(1, 6) === 1 ? 'device' : 'file-system',
        // Often less than one commit needs, so that a write of it fits only in part.
        leaveBytes: 4096 * draw.int(0, draw.int(0, 2) > 0 ? 12 : 48),
      },
    }),
  },
  slow: { runs: 2, draw: (draw) => ({ delayMicros: draw.int(300, 3000) }) },
};

const defaultTornBytes = 4096;

/** What is added to a target's name. */
export const suffixOf = (name: DiskFaultName): string => (name === 'none' ? '' : `+disk:${name}`);
export const runsOf = (name: DiskFaultName): number => kinds[name].runs;
export const mustBeCaught = (name: DiskFaultName): boolean => kinds[name].mustBeCaught ?? false;
export const tornBytesOf = (name: DiskFaultName): number => kinds[name].tornBytes ?? defaultTornBytes;
export const givesErrors = (name: DiskFaultName): boolean => kinds[name].errors ?? false;

/** @param run number of the recorded run, from 0 */
export function drawFaults(
  name: DiskFaultName,
  seed: number,
  run: number,
  target: { commits: number; canPause: boolean },
): DiskFaults {
  return kinds[name].draw(random(deriveSeed(seed, 'disk-fault', name, run)), target);
}

/** What the recording notes once it has mounted the file system anew. */
export const mountedMark = 'mounted';

/** The commit after which the device first refuses something. */
export function firstFault({ errors: all = [], full }: DiskFaults): number {
  const device = full?.where === 'device' ? [full.afterCommit] : [];
  return Math.min(...device, ...all.map(({ afterCommit }) => afterCommit));
}

/** The newest commit that was acked when something went wrong first: what lies before is a good disk's life. -1: none was. */
export function goodUntil({ errors: all = [], full }: DiskFaults): number {
  const points = [
    ...(full === undefined ? [] : [full.afterCommit]),
    ...all.map(({ afterCommit }) => afterCommit),
  ];
  return points.length === 0 ? -1 : Math.min(...points);
}

/** The recorder's control lines that switch them on, but for `full` of the file system. */
export function controlLines({
  lyingFlush,
  delayMicros,
  errors: all = [],
  remountAfter,
  full,
}: DiskFaults): string[] {
  const lines: string[] = [];
  if (lyingFlush === true) lines.push('lying-flush 1');
  if (delayMicros !== undefined) lines.push(`delay-micros ${delayMicros}`);
  for (const { requests, afterCommit, after, count } of all) {
    const line = `eio-${requests}-after ${after}${count === null ? '' : ` ${count}`}`;
    // Our own mounting must not be what fails.
    const mark = afterCommit === remountAfter ? mountedMark : `ack_${afterCommit}`;
    lines.push(`on-mark ${mark} ${line}`);
  }
  if (full?.where === 'device') lines.push(`on-mark ack_${full.afterCommit} full-after ${full.leaveBytes}`);
  return lines;
}

/** For a person. */
export function describeFaults({ delayMicros, errors: all = [], full, remountAfter }: DiskFaults): string {
  const parts = all.map(({ requests, afterCommit, after, count }) => {
    const which = count === null ? `all ${requests}` : `${count} ${requests}`;
    return `${which} fail, ${after} after the ack of commit ${afterCommit}`;
  });
  if (full !== undefined) {
    const what = full.where === 'device' ? 'the device' : 'the file system';
    parts.push(`${what} is full but for ${full.leaveBytes} bytes after commit ${full.afterCommit}`);
  }
  if (remountAfter !== undefined) parts.unshift(`mounted anew after commit ${remountAfter}`);
  if (delayMicros !== undefined) parts.push(`answers take ${delayMicros} µs`);
  return parts.join('; ');
}
