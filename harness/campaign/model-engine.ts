/** Fault `cut` on rig `model`: records runs over the storage model and explores what power cuts could leave of them. */
import { native } from '../../native/index.js';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { addCounts, noCounts, violationsIn, type Counts } from '../core/counts.js';
import { summarize, type BackendTarget, type Target } from '../core/target.js';
import { version } from '../core/version.js';
import { explainFinding, timelineOf } from '../explore/explain.js';
import { modelStateSchema, writeModelBundle } from '../explore/model-bundle.js';
import { exploreRun, modelSeed, notInModel, type ModelOptions, unbounded } from '../explore/model-jobs.js';
import { Zygote } from '../subjects/zygote.js';
import type { ExploredFinding, ExploreResult } from '../worker/job.js';
import type { Budget, CampaignContext, Engine } from './context.js';

export interface ModelEngineOptions extends Omit<ModelOptions, 'profile' | 'stopAtFirst'> {
  profiles: string[];
  /** Explore every state of every run, however many they are. */
  exhaustive: boolean;
  /** Runs recorded of a target that holds; default: until the budget is spent. */
  rounds?: number;
}

/** Runs recorded of a target that is wrong on purpose before it is given up. */
const controlRounds = 6;

interface Job {
  target: BackendTarget;
  profile: string;
  /** 0 for the first recorded run of the target, 1 for the next … */
  round: number;
  index: number;
}

interface Total {
  counts: Counts;
  states: number;
  steps: Set<string>;
}

export class ModelEngine implements Engine {
  readonly fault = 'cut';
  readonly rig = 'model';
  private readonly totals = new Map<string, Total>();

  constructor(
    private readonly targets: Target[],
    private readonly options: ModelEngineOptions,
  ) {}

  async run(context: CampaignContext, budget: Budget, firstIndex: number): Promise<number> {
    const deadline = budget.millis === null ? Infinity : performance.now() + budget.millis;
    const inModel = this.targets.flatMap((target) => this.admit(context, target));
    const pairs = inModel.flatMap((target) =>
      this.options.profiles
        .filter((profile) => this.canClone(context, target, profile))
        .map((profile) => ({ target, profile })),
    );
    for (const { target, profile } of pairs) this.start(context, target, profile);
    const jobs = this.jobs(context, pairs, firstIndex, budget);
    let next = firstIndex;
    await Promise.all(
      Array.from({ length: context.jobs }, async () => {
        const zygote = new Zygote();
        try {
          while (!context.stopping() && performance.now() < deadline) {
            const job = jobs.next();
            if (job.done === true) return;
            next = Math.max(next, job.value.index + 1);
            await this.explore(context, zygote, job.value);
          }
        } finally {
          await zygote.close();
        }
      }),
    );
    for (const { target, profile } of pairs) this.end(context, target, profile);
    return next;
  }

  private admit(context: CampaignContext, target: Target): BackendTarget[] {
    if (target.kind === 'backend') return [target];
    context.emit({ type: 'skipped', what: `${target.id} under cut on model`, ...notInModel });
    return [];
  }

  /** A backend that clones files has no place on a file system that cannot. */
  private canClone(context: CampaignContext, target: BackendTarget, profile: string): boolean {
    if (!target.needsReflink || native.profiles().find(({ name }) => name === profile)?.reflink === true)
      return true;
    context.emit({
      type: 'skipped',
      what: `${target.id} under cut on model (${profile})`,
      reason: 'that file system cannot clone files',
      remedy: '--profile posix,xfs,btrfs',
    });
    return false;
  }

  /** First one run of every target, then further runs of those that hold, each from its own seed. */
  private *jobs(
    context: CampaignContext,
    pairs: { target: BackendTarget; profile: string }[],
    firstIndex: number,
    budget: Budget,
  ): Generator<Job, void> {
    const last = budget.trials === null ? Infinity : firstIndex + Math.max(budget.trials, pairs.length);
    let index = firstIndex;
    for (let round = 0; pairs.length > 0; round++) {
      let open = false;
      for (const { target, profile } of pairs) {
        if (index >= last) return;
        const mine = index % context.shard.of === context.shard.index - 1 && !context.done.has(index);
        const wanted =
          target.expect === 'hold'
            ? round < (this.options.rounds ?? Infinity)
            : round < controlRounds && !this.caught(target, profile);
        open ||= wanted;
        if (wanted && mine) yield { target, profile, round, index };
        index++;
      }
      if (!open || this.options.exhaustive) return;
    }
  }

  private async explore(context: CampaignContext, zygote: Zygote, job: Job): Promise<void> {
    const { target, profile } = job;
    const seed = modelSeed(context.seed, target, profile, job.round);
    const options: ModelOptions = {
      profile,
      commits: this.options.commits,
      maxStates: this.options.exhaustive ? unbounded : this.options.maxStates,
      nested: this.options.nested,
      memoryBytes: this.options.memoryBytes,
      stopAtFirst: target.expect === 'caught',
    };
    const started = performance.now();
    const outcome = await exploreRun(zygote, target, seed, options);
    if (!outcome.ok) {
      if (context.stopping()) return;
      const verdict = outcome.violation ? 'unrecoverable' : 'harness-broken';
      context.emit({ type: 'note', level: 'warning', text: `${target.id} (${profile}): ${outcome.reason}` });
      this.tell(context, job, { [verdict]: 1 }, null, performance.now() - started);
      return;
    }
    this.tell(context, job, outcome.result.counts, outcome.result, performance.now() - started);
    for (const finding of outcome.result.findings)
      this.keep(context, job, seed, options, outcome.result, finding);
  }

  private tell(
    context: CampaignContext,
    { target, profile }: Job,
    counts: Partial<Counts>,
    result: ExploreResult | null,
    millis: number,
  ): void {
    const total = this.total(target, profile);
    addCounts(total.counts, counts);
    total.states += result?.states ?? 0;
    for (const step of Object.keys(result?.steps ?? {})) total.steps.add(step);
    context.emit({
      type: 'states',
      target: target.id,
      fault: this.fault,
      rig: this.rig,
      fs: profile,
      counts,
      states: result?.states ?? 0,
      of: spaceOf(result),
      exhaustive: result?.exhaustive ?? false,
      bySteps: result?.steps ?? {},
      millis: Math.round(millis),
    });
  }

  private keep(
    context: CampaignContext,
    { target, profile, index }: Job,
    seed: number,
    options: ModelOptions,
    { hash }: ExploreResult,
    finding: ExploredFinding,
  ): void {
    const explanation = explainFinding(finding);
    const { verdict, acked, recovered, path: choices } = finding;
    const folder = mkdtempSync(path.join(context.workFolder, 'model-'));
    const bundle = path.join(folder, 'bundle.plugpull');
    writeModelBundle(
      bundle,
      {
        schema: modelStateSchema,
        version,
        target,
        seed,
        options,
        hash,
        path: choices,
        acked,
        verdict,
        explanation,
      },
      finding,
    );
    context.addFinding({
      trial: index,
      target,
      fault: this.fault,
      rig: this.rig,
      fs: profile,
      verdict,
      seed,
      plan: { mode: 'state', phase: 'run', choices },
      acked,
      recovered,
      explanation,
      afterCrash: null,
      logs: {},
      timeline: timelineOf(finding),
      bundle,
    });
    rmSync(folder, { recursive: true, force: true });
  }

  private start(context: CampaignContext, target: BackendTarget, profile: string): void {
    context.emit({
      type: 'target-started',
      target: { ...summarize(target, this.fault, this.rig), fs: profile },
    });
  }

  private end(context: CampaignContext, target: BackendTarget, profile: string): void {
    const { counts, steps } = this.total(target, profile);
    context.emit({
      type: 'target-ended',
      target: target.id,
      fault: this.fault,
      rig: this.rig,
      fs: profile,
      counts,
      coverage: {
        hit: target.steps.filter((step) => steps.has(step)),
        missed: target.steps.filter((step) => !steps.has(step)),
      },
    });
  }

  private caught(target: BackendTarget, profile: string): boolean {
    return violationsIn(this.total(target, profile).counts) > 0;
  }

  private total(target: BackendTarget, profile: string): Total {
    const key = `${target.id} ${profile}`;
    let total = this.totals.get(key);
    if (total === undefined) {
      total = { counts: noCounts(), states: 0, steps: new Set() };
      this.totals.set(key, total);
    }
    return total;
  }
}

/** How many states there are: counted where all were visited (cuts during recovery among them), else estimated. */
function spaceOf(result: ExploreResult | null): number | null {
  if (result?.of === null || result === null) return null;
  return result.exhaustive ? result.states : Math.max(Math.round(result.of), result.states);
}
