/** Many power cuts of one run in a guest: its block log is explored as rig `disk` explores its recordings. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Counts } from '../core/counts.js';
import { UnavailableError } from '../core/errors.js';
import { promisesSameBytes } from '../core/target.js';
import type { Verdict } from '../core/verdict.js';
import { createChecker } from '../disk/checker.js';
import type { Explored } from '../disk/exploration.js';
import { parseFileSystem } from '../disk/file-systems.js';
import { kernelLog } from '../disk/kernel-log.js';
import { Presenter } from '../disk/presenter.js';
import type { Recording } from '../disk/recording.js';
import type { StateSource } from '../disk/state-source.js';
import { whyNoDisk } from '../rigs/disk.js';
import { GuestSource } from '../poweroff/guest-source.js';
import type { Guests } from '../poweroff/guests.js';
import type { RecoverPlace } from '../poweroff/modes.js';
import { labelOf, type PowerOffJob } from '../poweroff/order.js';
import { recordInGuest, type LoggedRun } from '../poweroff/record.js';
import { VmError } from '../vm/error.js';
import type { CampaignContext } from './context.js';
import { nothing, statesEvent, type Told } from './disk-told.js';
import { namingGuests, whereOf } from './poweroff-finding.js';
import { StateSearch } from './state-search.js';

export interface LogOrder {
  context: CampaignContext;
  /** Throws where there are none. */
  guests: () => Guests;
  job: PowerOffJob;
  index: number;
  seed: number;
  unit: number;
  recover: RecoverPlace;
  commits: number;
  /** Guests (or mounts of this machine's own) at once. */
  sources: number;
  states: number | null;
  exhaustive: boolean;
  deadline: number;
  /** However late it is then, the states are explored for so long. */
  leastMillis: number;
}

/** Gives the number of states that were judged. */
export async function exploreLog(order: LogOrder): Promise<number> {
  const { context, job, seed } = order;
  const { target } = job;
  const label = labelOf(job, 'log');
  const seen = new Seen();
  const started = performance.now();
  const folder = mkdtempSync(path.join(context.scratchFolder, 'log-'));
  const warn = (text: string): void => {
    context.emit({ type: 'note', level: 'warning', text: `${target.id} on ${label}: ${text}` });
  };
  try {
    const fs = parseFileSystem(job.fs);
    const guests = order.guests();
    const run = { target, seed, fs, commits: order.commits, folder };
    const ran = await recordInGuest(guests, run).catch((error: unknown) => {
      // It says no more of the target than a guest that dies before its cut.
      if (error instanceof VmError && error.guestDied) return error;
      throw error;
    });
    if (ran instanceof VmError || ran.recording.trouble !== null) {
      warn(
        ran instanceof VmError
          ? `the guest died while it worked: ${ran.message}`
          : (ran.recording.trouble ?? ''),
      );
      tell(order, { ...nothing, counts: { 'not-measured': 1 } });
      return 0;
    }
    const explored = await search(order, guests, ran, folder, seen, warn);
    tell(order, explored);
    return explored.states;
  } catch (error) {
    if (error instanceof UnavailableError) {
      const { message: reason, remedy } = error;
      const what = `${target.id} under power-off on ${label}`;
      context.emit({ type: 'skipped', what, reason, ...(remedy === undefined ? {} : { remedy }) });
      return 0;
    }
    // What was judged before it failed has been judged.
    if (!context.stopping()) warn((error as Error).message);
    const counts = context.stopping() ? seen.counts : { ...seen.counts, 'harness-broken': 1 };
    tell(order, {
      ...nothing,
      counts,
      states: seen.states,
      checked: seen.states,
      millis: performance.now() - started,
    });
    return seen.states;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What has come of an exploration so far. */
class Seen {
  readonly counts: Partial<Counts> = {};
  states = 0;

  add(verdict: Verdict): void {
    this.counts[verdict] = (this.counts[verdict] ?? 0) + 1;
    this.states++;
  }
}

async function search(
  order: LogOrder,
  guests: Guests,
  { recording, trace, console: said }: LoggedRun,
  folder: string,
  seen: Seen,
  warn: (text: string) => void,
): Promise<Explored> {
  const { job, index, seed, unit, recover, exhaustive } = order;
  const { target } = job;
  // Not in the time of the exploration.
  const sources = await openAll(order, guests, recording, folder, warn);
  const named = namingGuests(order.context, guests);
  const context: CampaignContext = {
    ...named,
    addFinding: (found) => {
      seen.add(found.verdict);
      return named.addFinding(found);
    },
  };
  const searching = new StateSearch({
    context,
    fault: 'poweroff',
    rig: 'vm',
    target,
    fs: recording.fs,
    fsLabel: labelOf(job, 'log'),
    index,
    seed,
    sameBytes: promisesSameBytes(target),
    unit,
    exhaustive,
    recording,
    trace,
    folder,
    open: () => given(sources),
    kernelLog: (millis, source) => (source instanceof GuestSource ? source.kernelLog() : kernelLog(millis)),
    ...(recover === 'guest' ? { where: whereOf(guests) } : {}),
    logs: { 'console-first': said },
    onShown: ({ judgement }) => seen.add(judgement.verdict),
  });
  return searching.run(Math.max(order.deadline, performance.now() + order.leastMillis), order.states);
}

/** Opened all at once, since each waits for its guest; where one fails none stays. */
async function openAll(
  order: LogOrder,
  guests: Guests,
  recording: Recording,
  folder: string,
  warn: (text: string) => void,
): Promise<StateSource[]> {
  const opened = await Promise.allSettled(
    Array.from({ length: order.sources }, async (_, slot) => {
      const own = path.join(folder, `slot-${slot}`);
      mkdirSync(own);
      return openSource(order, guests, recording, own, warn);
    }),
  );
  const sources = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = opened.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await Promise.all(sources.map((source) => source.close()));
    throw failed.reason;
  }
  return sources;
}

async function* given(sources: StateSource[]): AsyncGenerator<StateSource> {
  yield* await Promise.resolve(sources);
}

async function openSource(
  { job, seed, unit, recover }: LogOrder,
  guests: Guests,
  recording: Recording,
  folder: string,
  note: (text: string) => void,
): Promise<StateSource> {
  const { target } = job;
  if (recover === 'guest') return GuestSource.open({ guests, target, seed, recording, unit, folder, note });
  const lacking = whyNoDisk();
  if (lacking !== null) throw new UnavailableError(lacking.reason, lacking.remedy);
  return Presenter.start(recording, createChecker(target, seed, folder), folder, unit);
}

function tell({ context, job }: LogOrder, explored: Told): void {
  const who = { target: job.target.id, fault: 'poweroff', rig: 'vm', fs: labelOf(job, 'log') } as const;
  context.emit(statesEvent(who, explored));
}
