/** A campaign: the trials that one command runs, all derived from one seed, written to one run directory. */
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { violationsIn } from '../core/counts.js';
import { UnavailableError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import {
  eventSchema,
  type FindingEvent,
  type Reporter,
  type RunEvent,
  type Skipped,
} from '../core/events.js';
import { makeFolder } from '../core/make-folder.js';
import type { CampaignVerdict } from '../core/verdict.js';
import { bundleFinding } from '../store/finding-bundle.js';
import { bundleName, findingSchema, replayLine, saveFinding, type RunRecord } from '../store/findings.js';
import { memoryScratch, removeAtOnce } from '../rigs/scratch.js';
import { readEvents } from '../store/event-log.js';
import { eventsFile, RunDir } from '../store/run-dir.js';
import { version } from '../core/version.js';
import type { Budget, CampaignContext, Engine, NewFinding, Shard, Wanted } from './context.js';
import { machineFacts } from './machine.js';
import { conclude, exitCodeFor, Tally } from './tally.js';

export interface CampaignOptions {
  seed: number;
  shard: Shard;
  budget: Budget;
  jobs: number;
  /** The run directory. */
  runFolder: string;
  /** Folder for targets' files; null: inside the run directory. */
  workFolder: string | null;
  resume: boolean;
  /** Stop after so many violations in targets that should hold. */
  maxFailures: number;
  gateUpperBound: number | null;
  argv: string[];
  /** What was asked for, as data, for the log. */
  config: unknown;
  skipped: Omit<Skipped, 'type'>[];
  /** What is to be tried; what is not reached is named at the end. */
  wanted?: Wanted[];
}

export interface CampaignResult {
  verdict: CampaignVerdict;
  exitCode: number;
  runFolder: string;
  tally: Tally;
}

const kindOf = ({
  target,
  fault,
  rig,
  fs = '',
  verdict,
}: Pick<FindingEvent, 'target' | 'fault' | 'rig' | 'fs' | 'verdict'>): string =>
  `${target} ${fault} ${rig} ${fs} ${verdict}`;

/** Evidence that is kept of one target in one class; more of the same teach nothing. */
const findingsPerClass = 3;

export class Campaign {
  private interrupted = false;
  private readonly kept = new Map<string, number>();
  private readonly tally = new Tally();
  private readonly done = new Set<number>();
  /** The least index of a trial that was not used yet. */
  private nextIndex = 0;
  /** What this machine came to lack when something had been tried. */
  private broken: UnavailableError | null = null;
  /** How to make the same campaign again. */
  private readonly record: RunRecord;

  constructor(
    private readonly options: CampaignOptions,
    private readonly engines: Engine[],
    private readonly reporters: Reporter[],
  ) {
    this.record = { argv: options.argv, seed: options.seed, cwd: process.cwd() };
  }

  /** No new trial begins; those under way end. */
  interrupt(): void {
    this.interrupted = true;
  }

  /** A target that should hold was broken, whatever else came of the run. */
  get violated(): boolean {
    return this.tally.held().some(({ counts }) => violationsIn(counts) > 0);
  }

  async run(): Promise<CampaignResult> {
    const { options } = this;
    const started = performance.now();
    const dir = RunDir.open(options.runFolder, options.resume ? 'resume' : 'new');
    const workFolder = options.workFolder ?? path.join(options.runFolder, 'work');
    const scratch = options.workFolder === null ? memoryScratch() : null;
    const clear = (): void => {
      if (options.workFolder === null) removeAtOnce(workFolder);
      if (scratch !== null) removeAtOnce(scratch);
    };
    // The second Ctrl-C does not wait for anything else.
    process.once('exit', clear);
    try {
      if (options.workFolder === null) makeFolder(workFolder);
      const emit = (event: RunEvent): void => {
        this.tally.add(event);
        if (event.type === 'trial') this.nextIndex = Math.max(this.nextIndex, event.index + 1);
        dir.log.write(event);
        for (const reporter of this.reporters) reporter.on(event);
      };
      if (options.resume) await this.recall(path.join(options.runFolder, eventsFile));
      else emit(this.opening());
      dir.log.sync();
      for (const skipped of options.skipped) emit({ type: 'skipped', ...skipped });
      await this.torture(this.context(emit, { workFolder, scratchFolder: scratch ?? workFolder }, dir));
      this.nameUnreached(emit);
      const end = this.closing(performance.now() - started);
      emit(end);
      dir.log.sync();
      await this.report();
      // All is written; what ended the run is said last, unless a violation says more.
      if (this.broken !== null && end.exitCode === exitCodes.unavailable) throw this.broken;
      return {
        verdict: end.verdict,
        exitCode: end.exitCode,
        runFolder: options.runFolder,
        tally: this.tally,
      };
    } finally {
      process.off('exit', clear);
      clear();
      dir.close();
    }
  }

  /** A report that cannot be written takes no other with it. */
  private async report(): Promise<void> {
    const ends = [];
    for (const reporter of this.reporters) ends.push(...(await Promise.allSettled([reporter.end?.()])));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Each engine gets an equal share of what is left of the budget. */
  private async torture(context: CampaignContext): Promise<void> {
    const { budget } = this.options;
    const started = performance.now();
    let index = 0;
    for (const [number, engine] of this.engines.entries()) {
      const left = this.engines.length - number;
      const share = {
        millis:
          budget.millis === null ? null : Math.max(0, budget.millis - (performance.now() - started)) / left,
        trials: budget.trials === null ? null : Math.ceil(Math.max(0, budget.trials - index) / left),
      };
      try {
        index = await engine.run(context, share, index);
      } catch (error) {
        // What this machine lacks is missed by name, and the rest goes on. Alone it ends the run: before anything was
        // tried as if there had been no run, and later with all that was seen until then.
        if (!(error instanceof UnavailableError)) throw error;
        const alone = this.engines.length === 1;
        if (alone && !this.tally.measured(engine.fault, engine.rig)) throw error;
        if (alone) this.broken = error;
        index = Math.max(index, this.nextIndex);
        const { fault, rig } = engine;
        const { remedy } = error;
        context.emit({
          type: 'skipped',
          what: placeOf({ fault, rig }),
          reason: error.message,
          ...(remedy === undefined ? {} : { remedy }),
          ...(alone || this.isNamed(fault, rig) ? { missed: 'lacking' } : {}),
        });
      }
    }
  }

  private get wanted(): Wanted[] {
    return this.options.wanted ?? [];
  }

  private isNamed(fault: string, rig: string): boolean {
    return this.wanted.some((one) => one.named && one.fault === fault && one.rig === rig);
  }

  /** Says what was to be tried and was not. What engines have said themselves is said again only where it was asked for. */
  private nameUnreached(emit: (event: RunEvent) => void): void {
    const told = (what: string): boolean => this.tally.missed.some((one) => one.what === what);
    for (const { fault, rig, fs, named } of this.wanted) {
      const what = placeOf({ fault, rig, ...(fs === undefined ? {} : { fs }) });
      if (this.tally.measured(fault, rig, fs) || told(what) || told(placeOf({ fault, rig }))) continue;
      const stopped = this.interrupted || this.tooMany;
      if (!named && !stopped) continue;
      const reason = this.interrupted
        ? 'the run was interrupted before it'
        : stopped
          ? 'the run stopped before it, after too many violations'
          : 'none of its crashes was judged';
      emit({ type: 'skipped', what, reason, ...(named ? { missed: 'unreached' } : {}) });
    }
  }

  private get tooMany(): boolean {
    return this.tally.unexpectedFindings >= this.options.maxFailures;
  }

  private opening(): RunEvent {
    const { options } = this;
    return {
      type: 'run-started',
      schema: eventSchema,
      at: new Date().toISOString(),
      run: path.basename(options.runFolder),
      version,
      argv: options.argv,
      seed: options.seed,
      shard: options.shard,
      machine: machineFacts(this.engines),
      config: options.config,
    };
  }

  private closing(millis: number): Extract<RunEvent, { type: 'run-ended' }> {
    const { verdict, caveats } = conclude(this.tally, this.options.gateUpperBound);
    if (this.interrupted) caveats.unshift('The run was interrupted before its budget was spent.');
    else if (this.tooMany) {
      const found = this.tally.unexpectedFindings;
      caveats.unshift(
        `The run stopped after ${found} violation${found === 1 ? '' : 's'}, before its budget was spent (--max-failures).`,
      );
    }
    const code = exitCodeFor(verdict, this.tally);
    return {
      type: 'run-ended',
      at: new Date().toISOString(),
      verdict,
      exitCode: this.interrupted && code !== exitCodes.violation ? exitCodes.interrupted : code,
      interrupted: this.interrupted,
      counts: { ...this.tally.counts },
      caveats,
      millis: Math.round(millis),
    };
  }

  private context(
    emit: (event: RunEvent) => void,
    folders: Pick<CampaignContext, 'workFolder' | 'scratchFolder'>,
    dir: RunDir,
  ): CampaignContext {
    const { options } = this;
    return {
      seed: options.seed,
      shard: options.shard,
      runFolder: options.runFolder,
      ...folders,
      jobs: options.jobs,
      tally: this.tally,
      done: this.done,
      emit,
      addFinding: (finding) => this.addFinding(finding, emit, dir),
      stopping: () => this.interrupted || this.tooMany,
    };
  }

  private addFinding(found: NewFinding, emit: (event: RunEvent) => void, dir: RunDir): FindingEvent | null {
    const expected = found.target.expect === 'caught';
    const kind = kindOf({ ...found, target: found.target.id });
    const kept = this.kept.get(kind) ?? 0;
    // An unexpected violation always counts against --max-failures, but its files are kept only a few times.
    if (kept >= (expected ? 1 : findingsPerClass)) {
      if (!expected) this.tally.unexpectedFindings++;
      return null;
    }
    this.kept.set(kind, kept + 1);
    const { runFolder } = this.options;
    const number = this.tally.findings + 1;
    const { afterCrash, logs, bundle, target, trial, ...rest } = found;
    const { folder } = saveFinding(
      runFolder,
      number,
      { schema: findingSchema, version, ...rest, target, run: this.record },
      { afterCrash, logs },
    );
    let bundleInRun: string | null = null;
    if (bundle !== undefined && existsSync(bundle)) {
      bundleInRun = path.join(folder, bundleName);
      // It may lie on another file system, where it cannot be renamed from.
      copyFileSync(bundle, path.join(runFolder, bundleInRun));
      rmSync(bundle);
    } else if (bundle === undefined) {
      const file = path.join(folder, bundleName);
      if (bundleFinding(path.join(runFolder, folder), path.join(runFolder, file))) bundleInRun = file;
    }
    const event: FindingEvent = {
      ...rest,
      type: 'finding',
      number,
      trial,
      target: target.id,
      folder,
      bundle: bundleInRun,
      replay: replayLine(runFolder, { folder }),
      expected,
    };
    emit(event);
    dir.log.sync();
    return event;
  }

  /** Takes up what an earlier part of this run has written. */
  private async recall(events: string): Promise<void> {
    for await (const event of readEvents(events)) {
      if (event.type === 'run-ended') continue;
      // It may be there, or be reached, now.
      if (event.type === 'skipped' && event.missed !== undefined) continue;
      if (event.type === 'run-started') this.record.argv = event.argv;
      this.tally.add(event);
      for (const reporter of this.reporters) reporter.on(event);
      if (event.type === 'trial') this.done.add(event.index);
      if (event.type === 'finding') {
        const kind = kindOf(event);
        this.kept.set(kind, (this.kept.get(kind) ?? 0) + 1);
      }
    }
  }
}

/** As reports call it. */
function placeOf({ fault, rig, fs }: Pick<Wanted, 'fault' | 'rig' | 'fs'>): string {
  return `${fault} on ${rig}${fs === undefined ? '' : ` (${fs})`}`;
}
