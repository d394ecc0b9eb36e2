/** Fault `cut` on rig `disk`: every target runs once on each file system over a recording disk; then its crash states are explored. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import path from 'node:path';
import { UnavailableError, UsageError } from '../core/errors.js';
import { addCounts, noCounts } from '../core/counts.js';
import { deriveSeed } from '../core/seed.js';
import { promisesSameBytes, summarize, type Target } from '../core/target.js';
import { createChecker } from '../disk/checker.js';
import {
  drawFaults,
  goodUntil,
  mustBeCaught,
  runsOf,
  suffixOf,
  tornBytesOf,
  type DiskFaultName,
} from '../disk/faults.js';
import {
  canClone,
  fileSystemNames,
  mountsAtOnce,
  parseFileSystem,
  type FileSystem,
} from '../disk/file-systems.js';
import { kernelLog } from '../disk/kernel-log.js';
import { diskProgram } from '../disk/line-process.js';
import { presentersAtOnce } from '../disk/presenters-at-once.js';
import { Presenter } from '../disk/presenter.js';
import { canPause, record, type Recording } from '../disk/recording.js';
import type { StateSource } from '../disk/state-source.js';
import { tryFileSystem } from '../disk/try-file-system.js';
import { readTraceIndex, type TraceIndex } from '../disk/trace-index.js';
import { ignoredBy } from '../subjects/ignored.js';
import { ToldBefore } from './told-before.js';
import { whyNoDisk } from '../rigs/disk.js';
import { removeAtOnce } from '../rigs/scratch.js';
import type { Budget, CampaignContext, Engine } from './context.js';
import { addTold, FaultLog, nothing, statesEvent, unmeasured, violatedIn, type Told } from './disk-told.js';
import { OwnDamage, type Owner } from './own-damage.js';
import { NestedSearch } from './nested-search.js';
import { StateSearch, type StateSearchOptions } from './state-search.js';

export interface DiskOptions {
  /** As given to --fs. */
  fileSystems: readonly string[];
  commits: number;
  /** Crash states for each target on each file system; null: what time allows. */
  states: number | null;
  exhaustive: boolean;
  /** Cuts during recovery, one within the other; default 1. */
  nested?: number;
  /** What is wrong with the disk; none given: nothing. */
  diskFault?: DiskFaultName;
}

export const defaultDiskCommits = 20;
const defaultNested = 1;

export interface SourceOptions {
  target: Target;
  seed: number;
  recording: Pick<Recording, 'fs' | 'base' | 'trace' | 'changed'>;
  /** An existing folder of the source's own. */
  folder: string;
  /** Bytes at which writes are torn. */
  unit: number;
}

/** Makes crash states of a recording. */
export type SourceMaker = (options: SourceOptions) => Promise<StateSource>;

/** With the running kernel. */
export const presenterOf: SourceMaker = async ({ target, seed, recording, folder, unit }) =>
  Presenter.start(recording, createChecker(target, seed, folder), folder, unit, {
    ignore: ignoredBy(target),
  });

/** A state mostly waits for the kernel, so more of them than cores are under way. */
const presentersPerJob = 2;
/** With less time than this for a target on a file system, it is better not begun. */
const leastMillis = 1500;

interface Job {
  target: Target;
  fs: FileSystem;
}

export class DiskEngine implements Engine {
  readonly fault = 'cut';
  readonly rig = 'disk';
  private readonly fileSystems: FileSystem[];

  constructor(
    private readonly targets: readonly Target[],
    private readonly options: DiskOptions,
    private readonly sourceOf: SourceMaker = presenterOf,
  ) {
    this.fileSystems = options.fileSystems.map(parseFileSystem);
  }

  async run(context: CampaignContext, budget: Budget, firstIndex: number): Promise<number> {
    const lacking = whyNoDisk();
    if (lacking !== null) throw new UnavailableError(lacking.reason, lacking.remedy);
    diskProgram();
    const deadline = budget.millis === null ? Infinity : performance.now() + budget.millis;
    const all = this.targets.flatMap((target) => this.fileSystems.map((fs) => ({ target, fs })));
    const lacks = await this.lacks(context);
    const jobs = all.filter((job) => canRunOn(job.target, job.fs) && !lacks.has(job.fs));
    for (const job of all) {
      const lack = lacks.get(job.fs);
      if (lack !== undefined) skip(context, job, lack.message, lack.remedy);
      else if (!jobs.includes(job))
        skip(
          context,
          job,
          `${job.fs.type} cannot clone files`,
          `try it on ${fileSystemNames.filter(canClone).join(' or ')}`,
        );
    }
    let left = jobs.length;
    let statesLeft = budget.trials;
    for (const [number, job] of jobs.entries()) {
      if (context.stopping()) break;
      if (context.tally.find(job.target.id, this.fault, this.rig, job.fs.name)?.ended === true) {
        left--; // an earlier part of this run has done it
        continue;
      }
      const millis = (deadline - performance.now()) / left--;
      if (millis < leastMillis || statesLeft === 0) {
        skip(context, job, 'no time or trials were left for it', 'give it more with --for or --trials');
        continue;
      }
      const { target, fs } = job;
      context.emit({
        type: 'target-started',
        target: { ...summarize(target, this.fault, this.rig), fs: fs.name },
      });
      const states = leastOf(
        this.options.states,
        statesLeft === null ? null : Math.ceil(statesLeft / (left + 1)),
      );

      const explored = await this.job(context, job, firstIndex + number, performance.now() + millis, states);
      if (statesLeft !== null) statesLeft = Math.max(0, statesLeft - explored.states);
      // What was broken off is begun again when the run goes on.
      if (!context.stopping()) this.end(context, job, explored);
    }
    return firstIndex + jobs.length;
  }

  /** File systems that this machine cannot make or mount. Throws where that is all of them, or an option is wrong. */
  private async lacks(context: CampaignContext): Promise<Map<FileSystem, UnavailableError>> {
    const lacks = new Map<FileSystem, UnavailableError>();
    for (const fs of this.fileSystems) {
      try {
        await tryFileSystem(fs, context.workFolder);
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        lacks.set(fs, error);
      }
    }
    const [first] = lacks.values();
    if (first !== undefined && lacks.size === this.fileSystems.length) throw first;
    return lacks;
  }

  private end(context: CampaignContext, { target, fs }: Job, explored: Told): void {
    const counts = noCounts();
    addCounts(counts, explored.counts);
    const hit = (step: string): boolean => step in explored.bySteps;
    context.emit({
      type: 'target-ended',
      target: target.id,
      fault: this.fault,
      rig: this.rig,
      fs: fs.name,
      counts,
      ...(target.kind === 'command'
        ? {}
        : {
            coverage: {
              hit: target.steps.filter((step) => hit(step)),
              missed: target.steps.filter((step) => !hit(step)),
            },
          }),
    });
  }

  private async job(
    context: CampaignContext,
    job: Job,
    index: number,
    deadline: number,
    states: number | null,
  ): Promise<Told> {
    const name = this.diskFault;
    const runs = runsOf(name);
    const { target, fs } = job;
    const log = new FaultLog(name);
    let told: Told | null = null;
    for (let run = 0; run < runs && !context.stopping(); run++) {
      const now = performance.now();
      const millis = (deadline - now) / (runs - run);
      const left = states === null ? null : Math.ceil((states - (told?.states ?? 0)) / (runs - run));
      if (told !== null && (millis < leastMillis || (left !== null && left <= 0))) break;
      const one = await this.recorded(context, job, index, now + millis, left, run, log);
      // What this machine lacks it will lack again.
      if (one === nothing) break;
      told = told === null ? one : addTold(told, one);
      if (target.expect === 'caught' && violatedIn(told)) break; // one catch is enough
    }
    if (told === null) return nothing;
    const text = log.text(`${target.id} on ${fs.name}`);
    if (text !== null) context.emit({ type: 'note', level: log.happened ? 'info' : 'warning', text });
    // Power cuts of a run in which nothing went wrong say nothing about what would have.
    if (!log.happened) told = { ...told, counts: unmeasured(told.counts) };
    return this.tell(context, job, told);
  }

  private get diskFault(): DiskFaultName {
    return this.options.diskFault ?? 'none';
  }

  /** Records one run and explores its crash states. `nothing`: it was stopped, or cannot be done here. */
  private async recorded(
    context: CampaignContext,
    job: Job,
    index: number,
    deadline: number,
    states: number | null,
    run: number,
    log: FaultLog,
  ): Promise<Told> {
    const { target, fs } = job;
    const unit = tornBytesOf(this.diskFault);
    const folder = mkdtempSync(path.join(context.workFolder, 'disk-'));
    try {
      const seed = deriveSeed(context.seed, 'disk', target.id, fs.name);
      const { commits } = this.options;
      const faults = drawFaults(this.diskFault, seed, run, { commits, canPause: canPause(target) });
      const recording = await record({
        target,
        seed,
        commits,
        fs,
        folder,
        faults,
      });
      log.add(faults, recording);
      if (typeof recording.warning === 'string')
        context.emit({
          type: 'note',
          level: 'warning',
          text: `${target.id} on ${fs.name}: ${recording.warning}`,
        });
      if (recording.trouble !== null) {
        context.emit({
          type: 'note',
          level: 'warning',
          text: `${target.id} on ${fs.name}: ${recording.trouble}`,
        });
        return { ...nothing, counts: { 'not-measured': 1 } };
      }
      const whole = await readTraceIndex(recording.trace);
      const trace = { ...whole, epochs: afterFault(whole.epochs, goodUntil(faults)) };
      const owner: Owner = {
        fault: this.fault,
        rig: this.rig,
        fs: fs.name,
        suffix: suffixOf(this.diskFault),
      };
      // A lying disk breaks file systems too, and that is what it is there for.
      const damage = mustBeCaught(this.diskFault) ? null : new OwnDamage(context, owner);
      const base: Omit<StateSearchOptions, 'trace' | 'open'> = {
        context,
        fault: this.fault,
        rig: this.rig,
        target,
        fs,
        fsLabel: fs.name,
        index,
        seed,
        unit,
        exhaustive: this.options.exhaustive,
        recording,
        folder,
        kernelLog: (millis, source) => kernelLog(millis, source.device ?? null),
        sameBytes: promisesSameBytes(target),
        ...(damage === null ? {} : { damage }),
      };
      const depth = this.options.nested ?? defaultNested;
      const nested = new NestedSearch({
        ...base,
        depth,
        lanes: Math.min(context.jobs, mountsAtOnce(fs.type)),
        sourceOf: (inner, own) => this.sourceOf({ target, seed, recording: inner, folder: own, unit }),
      });
      const main = depth > 0 ? mainShare(deadline, states) : { deadline, states };
      const recoveries: Told[] = [];
      const first = await new StateSearch({
        ...base,
        trace,
        open: () => sources(context, this.sourceOf, { target, seed, recording, folder, unit }),
        onShown: (shown) => nested.offer(shown),
        afterwards: async (source) => {
          if (depth > 0) recoveries.push(await nested.run(source, deadline, leftOf(states, main.states)));
        },
      }).run(main.deadline, main.states);
      const explored = withRecoveries(first, recoveries);
      // Each shard records a run of its own: together they are not all states of one.
      if (context.shard.of > 1) explored.exhaustive = false;
      const { allowedLoss } = first;
      if (allowedLoss.states > 0) {
        const text = `${target.id} on ${fs.name}: in ${allowedLoss.states} states the newest commits (${allowedLoss.most} at most) were lost, as its promise allows`;
        context.emit({ type: 'note', level: 'info', text });
      }
      const counts = damage?.settle(explored.counts, explored.millis) ?? explored.counts;
      return { ...explored, counts };
    } catch (error) {
      if (context.stopping()) return nothing;
      if (error instanceof UsageError) throw error;
      if (error instanceof UnavailableError) {
        skip(context, job, error.message, error.remedy);
        return nothing;
      }
      const text = `${target.id} on ${fs.name}: ${(error as Error).message}`;
      context.emit({ type: 'note', level: 'warning', text });
      return { ...nothing, counts: { 'harness-broken': 1 } };
    } finally {
      // A part of ours that was killed leaves its mounts to us.
      removeAtOnce(folder);
    }
  }

  private tell(context: CampaignContext, { target, fs }: Job, explored: Told): Told {
    const who = { target: target.id, fault: this.fault, rig: this.rig, fs: fs.name } as const;
    const event = statesEvent(who, explored);
    const whole = { ...event, ...(context.stopping() ? { of: null, exhaustive: false } : {}) };
    context.emit(new ToldBefore(context.tally, who).beyond(whole));
    return explored;
  }
}

function canRunOn(target: Target, fs: FileSystem): boolean {
  return target.kind === 'command' || !target.needsReflink || canClone(fs.type);
}

function skip(context: CampaignContext, { target, fs }: Job, reason: string, remedy?: string): void {
  context.emit({
    type: 'skipped',
    what: `${target.id} under power cuts on ${fs.name}`,
    reason,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** What lies behind a fault, its end first: what was acked in vain is gone there for good. */
function afterFault(epochs: TraceIndex['epochs'], goodUntilCommit: number): TraceIndex['epochs'] {
  if (goodUntilCommit < 0) return epochs;
  const after = epochs.filter(({ ackedLast }) => ackedLast >= goodUntilCommit);
  return [...after.slice(-1), ...after.slice(0, -1)];
}

/** What is opened is given even where the rest fails to open. */
async function* sources(
  context: CampaignContext,
  sourceOf: SourceMaker,
  options: SourceOptions,
): AsyncGenerator<StateSource> {
  const slots = presentersAtOnce(options.recording, context.jobs * presentersPerJob);
  for (let slot = 0; slot < slots; slot++) {
    const folder = path.join(options.folder, `slot-${slot}`);
    mkdirSync(folder);
    yield await sourceOf({ ...options, folder });
  }
}

/** Of time and states, what is for the cuts of the run itself; its recoveries get the rest. */
function mainShare(deadline: number, states: number | null): { deadline: number; states: number | null } {
  const now = performance.now();
  return {
    deadline: now + (deadline - now) * 0.7,
    states: states === null ? null : Math.ceil(states * 0.7),
  };
}

function leftOf(states: number | null, used: number | null): number | null {
  return states === null || used === null ? null : states - used;
}

/** Cuts during recovery come on top: which recoveries are cut is a choice, so they are not what `exhaustive` speaks of. */
function withRecoveries(first: Told, recoveries: readonly Told[]): Told {
  return { ...recoveries.reduce(addTold, first), exhaustive: first.exhaustive };
}

function leastOf(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}
