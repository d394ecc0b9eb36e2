/** Joins the runs of a campaign's shards into one run directory. */
import { cpSync, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import type { Reporter, RunEnded, RunEvent, RunStarted } from '../core/events.js';
import { readEvents } from '../store/event-log.js';
import { replayLine } from '../store/findings.js';
import { eventsFile, RunDir } from '../store/run-dir.js';
import { worst } from '../oracle/merge.js';
import { conclude, exitCodeFor, Tally } from './tally.js';

interface ShardRun {
  folder: string;
  start: RunStarted;
  end: RunEnded;
}

/** Returns the exit code of the whole. Throws UsageError for shards that are missing, doubled, unfinished or of another campaign. */
export async function mergeRuns(folders: string[], out: string, reporters: Reporter[]): Promise<number> {
  const shards = await Promise.all(folders.map(open));
  shards.sort((a, b) => a.start.shard.index - b.start.shard.index);
  const first = shards[0];
  if (first === undefined) throw new UsageError('no run was named');
  refuseConflicts(first, shards);
  const dir = RunDir.open(out, 'new');
  try {
    const tally = new Tally();
    const emit = (event: RunEvent): void => {
      tally.add(event);
      dir.log.write(event);
      for (const reporter of reporters) reporter.on(event);
    };
    emit({ ...first.start, run: path.basename(out), shard: { index: 1, of: 1 } });
    for (const shard of shards) await copyEvents(shard, out, tally, emit);
    for (const { target, counts, hit } of tally.targets.values()) {
      const { steps } = target;
      emit({
        type: 'target-ended',
        target: target.id,
        fault: target.fault,
        rig: target.rig,
        ...(target.fs === undefined ? {} : { fs: target.fs }),
        counts,
        ...(steps === undefined
          ? {}
          : { coverage: { hit: steps.filter((s) => hit.has(s)), missed: steps.filter((s) => !hit.has(s)) } }),
      });
    }
    const end = conclusion(shards, tally);
    emit(end);
    dir.log.sync();
    for (const reporter of reporters) await reporter.end?.();
    return end.exitCode;
  } finally {
    dir.close();
  }
}

async function open(folder: string): Promise<ShardRun> {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new UsageError(`there is no run directory ${folder}`);
  }
  let start: RunStarted | null = null;
  let end: RunEnded | null = null;
  for await (const event of readEvents(path.join(folder, eventsFile))) {
    if (event.type === 'run-started') start = event;
    if (event.type === 'run-ended') end = event;
  }
  if (start === null) throw new UsageError(`${folder} holds no run`);
  if (end === null || end.interrupted) {
    throw new UsageError(`${folder} is not finished`, `go on with it by \`plugpull run --resume ${folder}\``);
  }
  return { folder, start, end };
}

/** Flags that may differ from shard to shard. */
const perShard = [
  'shard',
  'out',
  'dir',
  'jobs',
  'junit',
  'html',
  'markdown',
  'json',
  'quiet',
  'github',
  'resume',
];

function campaignOf({ start }: ShardRun): unknown {
  const { flags, targets } = start.config as { flags: Record<string, unknown>; targets: unknown };
  const common = Object.fromEntries(Object.entries(flags).filter(([name]) => !perShard.includes(name)));
  return { seed: start.seed, version: start.version, of: start.shard.of, flags: common, targets };
}

function refuseConflicts(first: ShardRun, shards: ShardRun[]): void {
  for (const shard of shards) {
    if (!isDeepStrictEqual(campaignOf(shard), campaignOf(first))) {
      throw new UsageError(
        `${shard.folder} and ${first.folder} are not shards of one campaign`,
        'all shards need the same --seed, targets and version',
      );
    }
  }
  const { of } = first.start.shard;
  const seen = shards.map(({ start }) => start.shard.index);
  const doubled = seen.find((index, i) => seen.indexOf(index) !== i);
  if (doubled !== undefined) throw new UsageError(`shard ${doubled}/${of} was given twice`);
  const missing = Array.from({ length: of }, (_, i) => i + 1).filter((index) => !seen.includes(index));
  if (missing.length > 0)
    throw new UsageError(`missing: shard ${missing.map((index) => `${index}/${of}`).join(', ')}`);
}

async function copyEvents(
  shard: ShardRun,
  out: string,
  tally: Tally,
  emit: (event: RunEvent) => void,
): Promise<void> {
  const isFirst = shard.start.shard.index === 1;
  for await (const event of readEvents(path.join(shard.folder, eventsFile))) {
    switch (event.type) {
      case 'run-started':
      case 'run-ended':
      case 'target-ended':
        break;
      case 'skipped':
        // Every shard skips the same, but for what one of them did not reach.
        if (isFirst || event.missed !== undefined) emit(event);
        break;
      case 'finding': {
        const number = tally.findings + 1;
        const folder = path.join('findings', String(number).padStart(4, '0'));
        cpSync(path.join(shard.folder, event.folder), path.join(out, folder), { recursive: true });
        const bundle = event.bundle === null ? null : path.join(folder, path.basename(event.bundle));
        emit({ ...event, number, folder, bundle, replay: replayLine(out, { folder }) });
        break;
      }
      default:
        emit(event);
    }
  }
}

function conclusion(shards: ShardRun[], tally: Tally): RunEnded {
  const flags = (shards[0]?.start.config as { flags?: { gateUpperBound?: number } } | undefined)?.flags;
  const { verdict, caveats } = conclude(tally, flags?.gateUpperBound ?? null);
  // One shard that failed fails the whole. (A control that one shard did not catch may be caught by another.)
  const own = shards.map(({ end }) => end.verdict).filter((v) => v === 'violation');
  const whole = own.reduce(worst, verdict);
  return {
    type: 'run-ended',
    at: new Date().toISOString(),
    verdict: whole,
    exitCode: shards.some(({ end }) => end.exitCode === exitCodes.violation)
      ? exitCodes.violation
      : exitCodeFor(whole, tally),
    interrupted: false,
    counts: { ...tally.counts },
    caveats,
    millis: Math.max(...shards.map(({ end }) => end.millis)),
  };
}
