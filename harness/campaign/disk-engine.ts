/** Fault `cut` on rig `disk`: every target runs once on each file system over a recording disk; then its crash states are explored. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { UnavailableError } from '../core/errors.js';
import { addCounts, noCounts } from '../core/counts.js';
import { deriveSeed } from '../core/seed.js';
import { promiseOf, summarize, type Target } from '../core/target.js';
import { isViolation } from '../core/verdict.js';
import { version } from '../core/version.js';
import { diskStateSchema, writeDiskBundle } from '../disk/bundle.js';
import { createChecker } from '../disk/checker.js';
import { choicesText } from '../disk/enumerate.js';
import { DiskMap, explainState } from '../disk/explain.js';
import { explore, type Explored, type Violation } from '../disk/exploration.js';
import { parseFileSystem, type FileSystem } from '../disk/file-systems.js';
import { kernelLog } from '../disk/kernel-log.js';
import { diskProgram } from '../disk/line-process.js';
import { minimize } from '../disk/minimize.js';
import { Presenter } from '../disk/presenter.js';
import { tryRepair } from '../disk/repair.js';
import { record, type DiskFaults, type Recording } from '../disk/recording.js';
import { unmountable, type StateSource } from '../disk/state-source.js';
import { readTraceIndex, type TraceIndex } from '../disk/trace-index.js';
import { whyNoDisk } from '../rigs/disk.js';
import type { Budget, CampaignContext, Engine } from './context.js';

export interface DiskOptions {
  /** As given to --fs. */
  fileSystems: readonly string[];
  commits: number;
  /** Crash states for each target on each file system; null: what time allows. */
  states: number | null;
  exhaustive: boolean;
  faults?: DiskFaults;
}

export const defaultDiskCommits = 20;

/** A state mostly waits for the kernel, so more of them than cores are under way. */
const presentersPerJob = 2;
/** Units in which a write can be torn. */
const unit = 4096;
/** With less time than this for a target on a file system, it is better not begun. */
const leastMillis = 1500;
/** Findings of one target on one file system that are minimized and kept. */
const maxFindings = 3;

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
  ) {
    this.fileSystems = options.fileSystems.map(parseFileSystem);
  }

  async run(context: CampaignContext, budget: Budget, firstIndex: number): Promise<number> {
    const lacking = whyNoDisk();
    if (lacking !== null) throw new UnavailableError(lacking.reason, lacking.remedy);
    diskProgram();
    const deadline = budget.millis === null ? Infinity : performance.now() + budget.millis;
    const all = this.targets.flatMap((target) => this.fileSystems.map((fs) => ({ target, fs })));
    const jobs = all.filter(({ target, fs }) => canRunOn(target, fs));
    for (const job of all) {
      if (!jobs.includes(job))
        skip(context, job, `${job.fs.type} cannot clone files`, 'try it on xfs or btrfs');
    }
    let left = jobs.length;
    let statesLeft = budget.trials;
    for (const [number, job] of jobs.entries()) {
      if (context.stopping()) break;
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
      this.end(context, job, explored);
    }
    return firstIndex + jobs.length;
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
    const { target, fs } = job;
    const folder = mkdtempSync(path.join(context.workFolder, 'disk-'));
    try {
      const seed = deriveSeed(context.seed, 'disk', target.id, fs.name);
      const recording = await record({
        target,
        seed,
        commits: this.options.commits,
        fs,
        folder,
        ...(this.options.faults === undefined ? {} : { faults: this.options.faults }),
      });
      if (recording.trouble !== null) {
        context.emit({
          type: 'note',
          level: 'warning',
          text: `${target.id} on ${fs.name}: ${recording.trouble}`,
        });
        return this.tell(context, job, { ...nothing, counts: { 'not-measured': 1 } });
      }
      const trace = await readTraceIndex(recording.trace);
      const search = new Search(context, this.options, job, index, seed, recording, trace, folder);
      const explored = await search.run(deadline, states);
      const { allowedLoss } = explored;
      if (allowedLoss.states > 0) {
        const text = `${target.id} on ${fs.name}: in ${allowedLoss.states} states the newest commits (${allowedLoss.most} at most) were lost, as its promise allows`;
        context.emit({ type: 'note', level: 'info', text });
      }
      return this.tell(context, job, explored);
    } catch (error) {
      if (context.stopping()) return nothing;
      if (error instanceof UnavailableError) {
        skip(context, job, error.message, error.remedy);
        return nothing;
      }
      const text = `${target.id} on ${fs.name}: ${(error as Error).message}`;
      context.emit({ type: 'note', level: 'warning', text });
      return this.tell(context, job, { ...nothing, counts: { 'harness-broken': 1 } });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  private tell(context: CampaignContext, { target, fs }: Job, explored: Told): Told {
    context.emit({
      type: 'states',
      target: target.id,
      fault: this.fault,
      rig: this.rig,
      fs: fs.name,
      counts: explored.counts,
      states: explored.states,
      of: explored.exhaustive ? explored.states : explored.of,
      exhaustive: explored.exhaustive,
      bySteps: explored.bySteps,
      millis: Math.round(explored.millis),
    });
    return explored;
  }
}

/** What is told of an exploration. */
type Told = Omit<Explored, 'reasons' | 'allowedLoss'>;

const nothing: Told = {
  states: 0,
  checked: 0,
  counts: {},
  of: null,
  exhaustive: false,
  bySteps: {},
  millis: 0,
};

function canRunOn(target: Target, fs: FileSystem): boolean {
  return target.kind === 'command' || !target.needsReflink || fs.type !== 'ext4';
}

function skip(context: CampaignContext, { target, fs }: Job, reason: string, remedy?: string): void {
  context.emit({
    type: 'skipped',
    what: `${target.id} under power cuts on ${fs.name}`,
    reason,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** The exploration of one recording, with its findings. */
class Search {
  private findings = 0;
  private map: Promise<DiskMap> | null = null;

  constructor(
    private readonly context: CampaignContext,
    private readonly options: DiskOptions,
    private readonly job: Job,
    private readonly index: number,
    private readonly seed: number,
    private readonly recording: Recording,
    private readonly trace: TraceIndex,
    private readonly folder: string,
  ) {}

  async run(deadline: number, states: number | null): Promise<Explored> {
    const { context, job } = this;
    const { target } = job;
    const sources: StateSource[] = [];
    try {
      for (let slot = 0; slot < context.jobs * presentersPerJob; slot++) {
        const folder = path.join(this.folder, `slot-${slot}`);
        mkdirSync(folder);
        const checker = createChecker(target, this.seed, folder);

        sources.push(await Presenter.start(this.recording, checker, folder, unit));
      }
      return await explore({
        epochs: this.epochs(),
        sources,
        seed: this.seed,
        unit,
        checkKnowsAcked: target.kind === 'command',
        promise: promiseOf(target),
        states,
        deadline,
        exhaustive: this.options.exhaustive,
        stopping: () => context.stopping() || (target.expect === 'caught' && this.findings > 0),
        onViolation: (found, source) => this.violation(found, source),
      });
    } finally {
      await Promise.all(sources.map((source) => source.close()));
    }
  }

  /** This shard's epochs. Only a backend promises something before its commit 0 is done. */
  private epochs(): TraceIndex['epochs'] {
    const { index, of } = this.context.shard;
    return this.trace.epochs.filter(
      ({ number, ackedFirst }) =>
        number % of === index - 1 && (this.job.target.kind === 'backend' || ackedFirst >= 0),
    );
  }

  private async violation(found: Violation, source: StateSource): Promise<void> {
    const { context, job, recording } = this;
    const { target, fs } = job;
    if (this.findings >= maxFindings) return;
    const number = ++this.findings;
    const minimized = await minimize(found, source, promiseOf(target));
    if (minimized.flaky) {
      context.emit({
        type: 'note',
        level: 'warning',
        text: `${target.id} on ${fs.name}: a violation did not come back when its state was shown again: ${found.judgement.reason ?? ''}`,
      });
    }
    const state = { epoch: found.epoch.number, choices: choicesText(minimized.choices) };
    const { verdict, reason, recovered } = minimized.judgement;
    if (!isViolation(verdict)) return;
    const afterCrash = path.join(this.folder, `after-crash-${number}`);
    const since = performance.now();
    let copied = '';
    await source.check(state, minimized.acked.last, 1, (dir) => {
      copied = copyFiles(dir, afterCrash);
    });
    this.map ??= DiskMap.of(recording);
    const { text, timeline } = explainState(await this.map, found.epoch, minimized.choices);
    const explanation = `${verdict}: ${reason ?? ''}; ${text}`;
    const bundle = path.join(this.folder, `state-${number}.plugpull`);
    const saved = path.join(this.folder, `state-${number}`);
    await source.save(state, saved);
    const { name, type, options } = fs;
    const { seed } = this;
    const { acked } = minimized;
    const manifest = { target, seed, fs: { name, type, options }, acked, verdict, explanation };
    writeDiskBundle(bundle, { schema: diskStateSchema, version, ...manifest }, saved);
    const repair = reason?.startsWith(unmountable) === true ? await tryRepair(fs, saved) : '';
    rmSync(saved);
    context.addFinding({
      trial: this.index,
      target,
      fault: 'cut',
      rig: 'disk',
      fs: fs.name,
      verdict,
      seed,
      plan: { mode: 'state', phase: 'run', choices: `${state.epoch}/${state.choices}` },
      acked: verdict === 'phantom' ? minimized.acked.first : minimized.acked.last,
      recovered,
      explanation,
      afterCrash: existsSync(afterCrash) ? afterCrash : null,
      logs: { run: recording.log, copy: copied, repair, kernel: await kernelLog(performance.now() - since) },
      timeline,
      bundle,
    });
  }
}

/** Copies what can be read; gives why the rest could not be, which is a finding about the file system. */
function copyFiles(from: string, to: string): string {
  if (!existsSync(from)) return '';
  try {
    cpSync(from, to, { recursive: true, preserveTimestamps: true });
    return '';
  } catch (error) {
    rmSync(to, { recursive: true, force: true });
    return `the files could not be copied: ${(error as Error).message}`;
  }
}

function leastOf(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}
