/** What is kept of a guest that lost its power and did not recover as it should have. */
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { version } from '../core/version.js';
import { isViolation } from '../core/verdict.js';
import { promiseOf } from '../core/target.js';
import { diskStateSchema, writeDiskBundle } from '../disk/bundle.js';
import { parseFileSystem } from '../disk/file-systems.js';
import type { StateSource } from '../disk/state-source.js';
import { judgeState } from '../disk/verdict.js';
import { saveDisk } from '../poweroff/block-log.js';
import { describeGuests, listGuests } from '../poweroff/guest-facts.js';
import { GuestSource } from '../poweroff/guest-source.js';
import type { Guests } from '../poweroff/guests.js';
import { labelOf, type PowerOffJob } from '../poweroff/order.js';
import type { CutLog, PowerTrial } from '../poweroff/trial.js';
import type { CampaignContext } from './context.js';
import { StateSearch } from './state-search.js';

export interface FoundByTrial {
  context: CampaignContext;
  guests: Guests;
  job: PowerOffJob;
  mode: 'kept' | 'volatile';
  index: number;
  seed: number;
  /** The trial's files. */
  folder: string;
  unit: number;
  trial: PowerTrial;
}

/**
 * Of a volatile disk the smallest set of lost writes is looked for, unless somebody waits for the end; of one that kept all there is
 * none, and none is looked for where only the files show what is wrong, which are compared in a trial alone. Rejects where no
 * evidence can be written at all.
 */
export async function keepPowerFinding(by: FoundByTrial): Promise<void> {
  const found = { ...by, context: namingGuests(by.context, by.guests) };
  const { context, job, mode, trial } = found;
  const { cut } = trial;
  const byState = cut !== null && judgeState(cut.acked, trial.checks, promiseOf(job.target));
  if (cut === null || byState === false || !isViolation(byState.verdict) || context.stopping()) {
    await wholeFinding(found);
    return;
  }
  try {
    await minimizedFinding(found, cut);
  } catch (error) {
    const text = `${job.target.id} on ${labelOf(job, mode)}: a violation could not be minimized: ${(error as Error).message}`;
    context.emit({ type: 'note', level: 'warning', text });
    await wholeFinding(found);
  }
}

/** The same campaign, whose findings say what ran in the guests. */
export function namingGuests(context: CampaignContext, { facts }: Guests): CampaignContext {
  return {
    ...context,
    addFinding: (finding) =>
      context.addFinding({
        ...finding,
        guest: describeGuests(facts),
        logs: { ...finding.logs, guest: listGuests(facts) },
      }),
  };
}

/** What a bundle says of the guest in which it was found. */
export function whereOf({ kernel, facts }: Guests): { kernel: string; guest: Record<string, unknown> } {
  return { kernel, guest: { ...facts } };
}

async function minimizedFinding(found: FoundByTrial, cut: CutLog): Promise<void> {
  const { context, guests, job, mode, index, seed, folder, unit, trial } = found;
  const own = path.join(folder, 'minimize');
  mkdirSync(own);
  const { trace, epoch, choices, acked } = cut;
  const { fs } = cut.recording;
  const files = trial.disk === null ? [] : await guests.mapDisk(fs, trial.disk, own).catch(() => []);
  const maps = [{ commit: trace.acked, extents: files }];
  const recording = await guests.shortBase({ ...cut.recording, maps }, own);
  const note = (text: string): void => context.emit({ type: 'note', level: 'warning', text });
  const source = await GuestSource.open({
    guests,
    target: job.target,
    seed,
    recording,
    unit,
    folder: own,
    note,
  });
  try {
    const search = new StateSearch({
      context,
      fault: 'poweroff',
      rig: 'vm',
      target: job.target,
      fs,
      fsLabel: labelOf(job, mode),
      index,
      seed,
      unit,
      exhaustive: false,
      recording,
      trace,
      folder: own,
      open: () => sourcesOf(source),
      kernelLog: () => source.kernelLog(),
      where: whereOf(guests),
      logs: trial.logs,
    });
    const { judgement, checks } = trial;
    await search.violation({ epoch, choices, acked, judgement, checks }, source);
  } finally {
    await source.close();
  }
}

async function* sourcesOf(source: StateSource): AsyncGenerator<StateSource> {
  yield await Promise.resolve(source);
}

async function wholeFinding({
  context,
  guests,
  job,
  mode,
  index,
  seed,
  folder,
  trial,
}: FoundByTrial): Promise<void> {
  const { verdict, reason = '', recovered } = trial.judgement;
  if (!isViolation(verdict) || trial.disk === null) return;
  const fs = parseFileSystem(job.fs);
  const saved = path.join(folder, 'saved');
  const bundle = path.join(folder, 'bundle.plugpull');
  await saveDisk(trial.disk, fs.bytes, saved);
  const where = trial.step === null ? '' : `, ${trial.halted ? 'at' : 'after'} the step ${trial.step}`;
  const how = mode === 'kept' ? 'its disk kept all that it was sent' : 'its disk lost what was not flushed';
  const explanation = `${verdict}: ${reason}; the guest lost its power${where}, and ${how}`;
  const { name, type, options } = fs;
  const acked = trial.cut?.acked ?? { first: trial.acked, last: trial.acked };
  writeDiskBundle(
    bundle,
    {
      schema: diskStateSchema,
      version,
      target: job.target,
      seed,
      fs: { name, type, options },
      acked,
      verdict,
      explanation,
      ...whereOf(guests),
    },
    saved,
  );
  rmSync(saved);
  context.addFinding({
    trial: index,
    target: job.target,
    fault: 'poweroff',
    rig: 'vm',
    fs: labelOf(job, mode),
    verdict,
    seed,
    plan: trial.plan,
    acked: trial.acked,
    recovered,
    explanation,
    afterCrash: null,
    logs: trial.logs,
    bundle,
  });
}
