/**
 * Fault `poweroff` on rig `vm`: guests of other kernels lose their power while targets work in them. First trials of two
 * guests each, all targets in turn; then many cuts of one run's block log.
 */
import { rmSync } from 'node:fs';
import { violationsIn, type Counts } from '../core/counts.js';
import { UnavailableError } from '../core/errors.js';
import { deriveSeed, trialSeed } from '../core/seed.js';
import { summarize } from '../core/target.js';
import { isViolation } from '../core/verdict.js';
import { parseFileSystem } from '../disk/file-systems.js';
import { diskProgram } from '../disk/line-process.js';
import type { Target } from '../core/target.js';
import { whyNoQemu } from '../images/qemu.js';
import { describeGuests } from '../poweroff/guest-facts.js';
import { Guests } from '../poweroff/guests.js';
import type { PowerOffMode, RecoverPlace } from '../poweroff/modes.js';
import { drawCut, labelOf, orderJobs, whyNotThere, type PowerOffJob } from '../poweroff/order.js';
import { runPowerTrial, type PowerTrial } from '../poweroff/trial.js';
import { freeMemory } from '../rigs/free-memory.js';
import { forWantOfSpace, spaceNamed } from '../trial/room.js';
import type { Budget, CampaignContext, Engine } from './context.js';
import { inParallel } from '../core/parallel.js';
import { keepPowerFinding } from './poweroff-finding.js';
import { exploreLog } from './poweroff-log.js';
import { ownTurns } from './turns.js';

export interface PowerOffOptions {
  /** As given to --kernel and --fs. */
  kernels: readonly string[];
  fileSystems: readonly string[];
  modes: readonly PowerOffMode[];
  /** What mounts the states of a log. */
  recover: RecoverPlace;
  /** Commits of a run whose log is cut. */
  commits: number;
  /** Crash states of each log; null: what time allows. */
  states: number | null;
  exhaustive: boolean;
}

export const defaultKernel = '6.1';

/** Bytes that a write can be torn at. */
export const powerOffUnit = 4096;
/** The power goes after so much work on the average. */
const workMillis = 500;
/** With less time than this for a target in a setting, it is better not begun. */
const leastMillis = 20_000;
/** Once a log is there it is explored for so long at least. */
const leastExploring = 4000;
/** Trials of a control in one setting: that of a disk that keeps all need not show anything. */
const controlTrials = { kept: 12, volatile: 200, log: 0 } as const;
/** Trials without a single measurement after which a target is left alone. */
const hopeless = 6;
/** Memory that a guest may come to need, and what stays for the rest of the machine. */
const guestBytes = 700 * 1024 ** 2;
const reservedBytes = 1024 ** 3;

/** While one guest waits for its disk another can work: half as many more than trials in parallel. */
export function guestsAtOnce(jobs: number, freeBytes = freeMemory()): number {
  const room = Math.floor((freeBytes - reservedBytes) / guestBytes);
  return Math.max(1, Math.min(jobs + (jobs >> 1), room));
}

interface Item {
  index: number;
  job: PowerOffJob;
  mode: 'kept' | 'volatile';
}

export class PowerOffEngine implements Engine {
  readonly fault = 'poweroff';
  readonly rig = 'vm';
  /** By kernel; or why there are none, which every trial with them then says. */
  private readonly guests = new Map<string, Guests | Error>();

  /** Throws UsageError for a file system that there is not. */
  constructor(
    private readonly targets: readonly Target[],
    private readonly options: PowerOffOptions,
  ) {
    options.fileSystems.map(parseFileSystem);
  }

  async run(context: CampaignContext, budget: Budget, firstIndex: number): Promise<number> {
    const lacking = whyNoQemu();
    if (lacking !== null) throw new UnavailableError(lacking.reason, lacking.remedy);
    diskProgram();
    try {
      // Building an image takes a minute once: the budget is for the trials.
      // One after the other, since images share what they are built from.
      const there = await tryEach(context, this.options.kernels, 1, (kernel) => this.open(context, kernel));
      if (context.stopping()) return firstIndex;
      const jobs = await this.withDisks(context, this.jobs(context, budget, there));
      const withLog = this.options.modes.includes('log');
      const halved = withLog && this.options.modes.length > 1 ? 0.5 : 1;
      const started = performance.now();
      let next = firstIndex;
      const pairs = this.options.modes.filter((mode) => mode !== 'log');
      if (pairs.length > 0) {
        this.announce(context, jobs, pairs);
        const share = {
          millis: budget.millis === null ? null : budget.millis * halved,
          trials: budget.trials === null ? null : Math.ceil(budget.trials * halved),
        };
        next = await this.trials(context, share, firstIndex, jobs, pairs);
        this.end(context, jobs, pairs);
      }
      if (withLog) {
        const rest = {
          millis: budget.millis === null ? null : budget.millis - (performance.now() - started),
          trials: budget.trials === null ? null : Math.max(0, budget.trials - (next - firstIndex)),
        };
        next = await this.logs(context, rest, next, jobs);
      }
      return next;
    } finally {
      for (const guests of this.guests.values()) if (guests instanceof Guests) guests.close();
      this.guests.clear();
    }
  }

  private async open(context: CampaignContext, kernel: string): Promise<void> {
    const say = (text: string): void => context.emit({ type: 'note', level: 'info', text });
    try {
      const guests = await Guests.open(kernel, context.scratchFolder, say);
      this.guests.set(kernel, guests);
      say(`guests of ${kernel}: ${describeGuests(guests.facts)}`);
    } catch (error) {
      if (error instanceof UnavailableError || context.stopping()) throw error;
      this.guests.set(kernel, error as Error);
      context.emit({
        type: 'note',
        level: 'warning',
        text: `no guests of ${kernel}: ${(error as Error).message}`,
      });
    }
  }

  /** Makes the disks that trials begin with, so that none waits for one. Gives the jobs that can have theirs. */
  private async withDisks(context: CampaignContext, jobs: PowerOffJob[]): Promise<PowerOffJob[]> {
    const nameOf = ({ kernel, fs }: PowerOffJob): string => `${fs} on ${kernel}`;
    const each = new Map(jobs.map((job) => [nameOf(job), job]));
    const names = [...each.keys()];
    const there = await tryEach(context, names, guestsAtOnce(context.jobs), async (name) => {
      const job = each.get(name);
      if (job === undefined) return;
      const { fs, kernel } = job;
      const guests = this.guests.get(kernel);
      if (!(guests instanceof Guests)) return;
      try {
        await guests.baseDisk(fs);
      } catch (error) {
        if (error instanceof UnavailableError || context.stopping()) throw error;
        // Each trial tries again, and says why it cannot.
        context.emit({
          type: 'note',
          level: 'warning',
          text: `no disk with ${name}: ${(error as Error).message}`,
        });
      }
    });
    return jobs.filter((job) => there.includes(nameOf(job)));
  }

  private guestsOf({ kernel }: PowerOffJob): Guests {
    const guests = this.guests.get(kernel);
    if (guests instanceof Guests) return guests;
    throw guests ?? new Error(`no guests of ${kernel}`);
  }

  /** As many targets and settings as the time allows to be tried in earnest; the others are missed by name. */
  private jobs(context: CampaignContext, budget: Budget, kernels: readonly string[]): PowerOffJob[] {
    const possible: PowerOffJob[] = [];
    for (const job of orderJobs(this.targets, kernels, this.options.fileSystems)) {
      const why = whyNotThere(job);
      if (why === null) possible.push(job);
      else skip(context, job, why.reason, why.remedy);
    }
    if (budget.millis === null) return possible;
    const most = Math.max(1, Math.floor(budget.millis / leastMillis));
    for (const job of possible.slice(most)) {
      skip(context, job, 'no time was left for it', 'give it more with --for, or name fewer targets');
    }
    return possible.slice(0, most);
  }

  private announce(context: CampaignContext, jobs: PowerOffJob[], modes: readonly PowerOffMode[]): void {
    for (const job of jobs) {
      for (const mode of modes) {
        const target = { ...summarize(job.target, this.fault, this.rig), fs: labelOf(job, mode) };
        context.emit({ type: 'target-started', target });
      }
    }
  }

  private async trials(
    context: CampaignContext,
    budget: Budget,
    firstIndex: number,
    jobs: PowerOffJob[],
    modes: readonly ('kept' | 'volatile')[],
  ): Promise<number> {
    const deadline = budget.millis === null ? Infinity : performance.now() + budget.millis;
    const items = this.items(context, firstIndex, budget.trials, jobs, modes);
    let next = firstIndex;
    const slots = Array.from({ length: guestsAtOnce(context.jobs) }, (_, slot) => slot);
    await inParallel(slots, async (_slot, _number, failed) => {
      while (!failed() && !context.stopping() && performance.now() < deadline) {
        const item = items.next();
        if (item.done === true) return;
        next = Math.max(next, item.value.index + 1);
        await this.trial(context, item.value);
      }
    });
    return next;
  }

  /** The trials in their fixed order; every shard sees the same indices. */
  private *items(
    context: CampaignContext,
    firstIndex: number,
    trials: number | null,
    jobs: PowerOffJob[],
    modes: readonly ('kept' | 'volatile')[],
  ): Generator<Item, void> {
    const turns = ownTurns(inTurn(jobs, modes), {
      firstIndex,
      trials,
      shard: context.shard,
      done: context.done,
      settled: ({ job, mode }) => this.settled(context, job, mode),
      period: jobs.length * modes.length,
      stopping: () => context.stopping(),
    });
    for (const { index, turn } of turns) yield { index, ...turn };
  }

  /** A control that has been caught has said all that it can; so has a target of which nothing can be measured. */
  private settled(context: CampaignContext, job: PowerOffJob, mode: PowerOffMode): boolean {
    const counts = this.countsOf(context, job, mode);
    const violated = violationsIn(counts) > 0;
    if (job.target.expect === 'caught' && violated) return true;
    const nothing = counts['not-measured'] + counts['harness-broken'];
    const enough = this.guests.get(job.kernel) instanceof Guests ? hopeless : 1;
    return nothing >= enough && counts.held === 0 && !violated;
  }

  private countsOf(context: CampaignContext, job: PowerOffJob, mode: PowerOffMode): Counts {
    return context.tally.of(job.target.id, this.fault, this.rig, labelOf(job, mode)).counts;
  }

  private async trial(context: CampaignContext, { index, job, mode }: Item): Promise<void> {
    const { target } = job;
    const seed = trialSeed(context.seed, index);
    const plan = drawCut(seed, target, workMillis);
    const fs = labelOf(job, mode);
    const event = {
      type: 'trial',
      index,
      target: target.id,
      fault: this.fault,
      rig: this.rig,
      fs,
      seed,
    } as const;
    let folder: string | null = null;
    try {
      let guests: Guests;
      let trial: PowerTrial;
      try {
        guests = this.guestsOf(job);
        folder = guests.trialFolder();
        const order = { target, seed, fs: parseFileSystem(job.fs), mode, plan, folder, unit: powerOffUnit };
        trial = await runPowerTrial(guests, order);
      } catch (error) {
        if (error instanceof UnavailableError) throw error;
        if (!context.stopping()) context.emit({ ...event, plan, ...brokenBy(error, context.scratchFolder) });
        return;
      }
      if (trial.note !== null) {
        context.emit({ type: 'note', level: 'warning', text: `${target.id} on ${fs}: ${trial.note}` });
      }
      context.emit({ ...event, ...outcomeOf(trial) });
      if (!isViolation(trial.judgement.verdict)) return;
      await keepPowerFinding({ context, guests, job, mode, index, seed, folder, unit: powerOffUnit, trial });
    } finally {
      if (folder !== null) rmSync(folder, { recursive: true, force: true });
    }
  }

  private async logs(
    context: CampaignContext,
    budget: Budget,
    firstIndex: number,
    jobs: PowerOffJob[],
  ): Promise<number> {
    const deadline = budget.millis === null ? Infinity : performance.now() + budget.millis;
    let left = jobs.length;
    let statesLeft = budget.trials;
    for (const [number, job] of jobs.entries()) {
      if (context.stopping()) break;
      const millis = (deadline - performance.now()) / left--;
      if (millis < leastExploring || statesLeft === 0) {
        skip(context, job, 'no time was left for its log', 'give it more with --for or --trials');
        continue;
      }
      this.announce(context, [job], ['log']);
      const share = statesLeft === null ? Infinity : Math.ceil(statesLeft / (left + 1));
      const states = Math.min(share, this.options.states ?? Infinity);
      const explored = await exploreLog({
        context,
        guests: () => this.guestsOf(job),
        job,
        index: firstIndex + number,
        seed: deriveSeed(context.seed, 'log', job.target.id, job.fs, job.kernel),
        unit: powerOffUnit,
        ...this.options,
        sources: guestsAtOnce(context.jobs),
        states: Number.isFinite(states) ? states : null,
        deadline: performance.now() + millis,
        leastMillis: leastExploring,
      });
      if (statesLeft !== null) statesLeft = Math.max(0, statesLeft - explored);
      this.end(context, [job], ['log']);
    }
    return firstIndex + jobs.length;
  }

  private end(context: CampaignContext, jobs: PowerOffJob[], modes: readonly PowerOffMode[]): void {
    for (const job of jobs) {
      for (const mode of modes) {
        const { target } = job;
        const fs = labelOf(job, mode);
        const { counts, hit } = context.tally.of(target.id, this.fault, this.rig, fs);
        const coverage =
          target.kind === 'command'
            ? {}
            : {
                coverage: {
                  hit: target.steps.filter((step) => hit.has(step)),
                  missed: target.steps.filter((step) => !hit.has(step)),
                },
              };
        context.emit({
          type: 'target-ended',
          target: target.id,
          fault: this.fault,
          rig: this.rig,
          fs,
          counts: { ...counts },
          ...coverage,
        });
      }
    }
  }
}

/**
 * Does something for each of some names. What this machine lacks for one of them is missed by name, and the rest goes on; where it is
 * lacking for all, that is the error. Gives those for which it is there.
 */
async function tryEach(
  context: CampaignContext,
  names: readonly string[],
  atOnce: number,
  make: (name: string) => Promise<void>,
): Promise<string[]> {
  const waiting = [...names];
  const there: string[] = [];
  const lacking: { name: string; error: UnavailableError }[] = [];
  const slots = Array.from({ length: atOnce }, (_, slot) => slot);
  await inParallel(slots, async (_slot, _number, failed) => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      if (failed() || context.stopping()) return;
      try {
        await make(name);
        there.push(name);
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        lacking.push({ name, error });
      }
    }
  });
  const [first] = lacking;
  if (first !== undefined && there.length === 0) throw first.error;
  for (const { name, error } of lacking) {
    const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
    context.emit({ type: 'skipped', what: `power-off of guests: ${name}`, reason: error.message, ...remedy });
  }
  return names.filter((name) => there.includes(name));
}

/** All targets and settings in turn, for ever; controls for a time. */
function* inTurn(
  jobs: readonly PowerOffJob[],
  modes: readonly ('kept' | 'volatile')[],
): Generator<Omit<Item, 'index'>, void> {
  for (let round = 0, open = true; open; round++) {
    open = false;
    for (const job of jobs) {
      for (const mode of modes) {
        if (job.target.expect === 'caught' && round >= controlTrials[mode]) continue;
        open = true;
        yield { job, mode };
      }
    }
  }
}

function outcomeOf({ judgement, acked, step, plan, millis }: PowerTrial) {
  const round = (value: number): number => Math.round(value * 100) / 100;
  return {
    plan,
    verdict: judgement.verdict,
    ...(judgement.reason === undefined ? {} : { reason: judgement.reason }),
    acked,
    recovered: judgement.recovered,
    ...(step === null ? {} : { step }),
    millis: { run: round(millis.run), recover: round(millis.recover), total: round(millis.total) },
  };
}

/** Why there was no trial. A full disk is no fault of ours. */
function brokenBy(error: unknown, folder: string) {
  const reason = spaceNamed(folder, (error as Error).message);
  const verdict = forWantOfSpace(folder, reason) ? 'not-measured' : 'harness-broken';
  return { verdict, reason, acked: -1, recovered: null, millis: { run: 0, recover: 0, total: 0 } } as const;
}

function skip(context: CampaignContext, job: PowerOffJob, reason: string, remedy: string): void {
  const what = `${job.target.id} under power-off on ${job.fs} of ${job.kernel}`;
  context.emit({ type: 'skipped', what, reason, remedy });
}
