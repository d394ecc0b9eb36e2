/** Fault `kill` on rig `folder`: first every named step, then random moments until the budget is spent. */
import { violationsIn } from '../core/counts.js';
import { UnavailableError } from '../core/errors.js';
import { inParallel } from '../core/parallel.js';
import type { CrashPlan, TrialEnded } from '../core/events.js';
import { deriveSeed, trialSeed } from '../core/seed.js';
import { promiseOf, summarize, type Target } from '../core/target.js';
import { isViolation } from '../core/verdict.js';
import { drawKill, firstOccurrences, sweepPlans, type StepCensus } from '../faults/kill.js';
import { FolderRig } from '../rigs/folder.js';
import { ReflinkImageRig } from '../rigs/reflink.js';
import { reflinkAvailable } from '../rigs/reflink-probe.js';
import type { Place, Rig } from '../rigs/rig.js';
import { createSubject } from '../subjects/create.js';
import { ignoredBy } from '../subjects/ignored.js';
import type { Subject } from '../subjects/subject.js';
import { Zygote } from '../subjects/zygote.js';
import { runTrial, type TrialOutcome } from '../trial/trial.js';
import { forWantOfSpace } from '../trial/room.js';
import type { Budget, CampaignContext, Engine } from './context.js';
import { ownTurns } from './turns.js';

/** Random crashes that a control gets before it is given up. */
const controlTrials = 300;
/** Trials without a single measurement after which a target is left alone. */
const hopeless = 20;

export const sweepChoices = ['first', 'all', 'none'] as const;
export type SweepChoice = (typeof sweepChoices)[number];

interface Item {
  index: number;
  target: Target;
  seed: number;
  plan: CrashPlan;
}

interface Slot {
  zygote: Zygote;
  places: Map<Rig, Place>;
  subjects: Map<string, Subject>;
}

interface Prepared {
  target: Target;
  rig: Rig;
  sweep: { seed: number; plans: CrashPlan[] };
  slowness: number;
  ignore: ((file: string) => boolean) | null;
}

export class KillEngine implements Engine {
  readonly fault = 'kill';
  readonly rig = 'folder';
  private readonly rigs = new Map<string, Rig>();

  /** @param sweep which targets get a crash at every named step: one for each backend, all, or none */
  constructor(
    private readonly targets: Target[],
    private readonly sweep: SweepChoice = 'first',
  ) {}

  async run(context: CampaignContext, budget: Budget, firstIndex: number): Promise<number> {
    const deadline = budget.millis === null ? Infinity : performance.now() + budget.millis;
    const slots: Slot[] = Array.from({ length: context.jobs }, () => ({
      zygote: new Zygote(),
      places: new Map(),
      subjects: new Map(),
    }));
    try {
      const prepared = await this.prepare(context, slots);
      const items = this.items(context, prepared, firstIndex, budget);
      let next = firstIndex;
      await inParallel(slots, async (slot, number, failed) => {
        while (!failed() && !context.stopping() && performance.now() < deadline) {
          const item = items.next();
          if (item.done === true) return;
          next = Math.max(next, item.value.index + 1);
          const ready = prepared.get(item.value.target.id);
          if (ready !== undefined) await this.trial(context, slot, number, ready, item.value);
        }
      });
      this.end(context, prepared);
      return next;
    } finally {
      await Promise.all(
        slots.flatMap((slot) => [...slot.subjects.values()].map((subject) => subject.close())),
      );
      await Promise.all(slots.map((slot) => slot.zygote.close()));
      await Promise.all([...this.rigs.values()].map((rig) => rig.close()));
      this.rigs.clear();
    }
  }

  /** Brings up the rigs, announces the targets, and counts what each of them passes. */
  private async prepare(context: CampaignContext, slots: Slot[]): Promise<Map<string, Prepared>> {
    const prepared = new Map<string, Prepared>();
    for (const target of this.targets) {
      if (context.stopping()) break;
      let rig: Rig;
      try {
        rig = await this.rigFor(context, target);
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        context.emit({
          type: 'skipped',
          what: `${target.id} under kill`,
          reason: error.message,
          ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
        });
        continue;
      }
      context.emit({ type: 'target-started', target: summarize(target, this.fault, this.rig) });
      prepared.set(target.id, {
        target,
        rig,
        sweep: { seed: 0, plans: [] },
        slowness: 1,
        ignore: ignoredBy(target),
      });
    }
    await this.census(context, [...prepared.values()], slots);
    return prepared;
  }

  private async rigFor(context: CampaignContext, target: Target): Promise<Rig> {
    const base = target.kind === 'backend' ? context.scratchFolder : context.workFolder;
    const needsImage = target.kind === 'backend' && target.needsReflink && !reflinkAvailable(base);
    const kind = `${base} ${needsImage ? 'image' : 'folder'}`;
    let rig = this.rigs.get(kind);
    if (rig === undefined) {
      rig = needsImage ? new ReflinkImageRig(base) : new FolderRig(base);
      await rig.prepare();
      this.rigs.set(kind, rig);
    }
    return rig;
  }

  private async census(context: CampaignContext, all: Prepared[], slots: Slot[]): Promise<void> {
    const swept = new Set(this.sweep === 'all' ? all : this.sweep === 'none' ? [] : firstOfEachBackend(all));
    const waiting = [...all];
    await inParallel(slots, async (slot, number, failed) => {
      for (let ready = waiting.shift(); ready !== undefined; ready = waiting.shift()) {
        if (failed() || context.stopping()) return;
        const subject = this.subject(slot, ready.target);
        const place = this.place(slot, number, ready.rig);
        const seed = deriveSeed(context.seed, 'sweep', ready.target.id);
        if (ready.target.kind === 'command') {
          ready.slowness = await calibrate(subject, place, seed);
        } else if (swept.has(ready)) {
          ready.sweep = { seed, plans: sweepPlans(await takeCensus(subject, place, seed)) };
        }
      }
    });
  }

  /** The campaign's trials in their fixed order; every shard sees the same indices. */
  private *items(
    context: CampaignContext,
    prepared: Map<string, Prepared>,
    firstIndex: number,
    budget: Budget,
  ): Generator<Item, void> {
    const all = [...prepared.values()];
    const sweeps = all.reduce((sum, ready) => sum + ready.sweep.plans.length, 0);
    const turns = ownTurns(inOrder(all), {
      firstIndex,
      trials: budget.trials,
      shard: context.shard,
      done: context.done,
      settled: ({ ready }) => this.settled(context, ready.target),
      period: all.length * (firstRounds + 1) + sweeps,
      stopping: () => context.stopping(),
    });
    for (const { index, turn } of turns) {
      const { ready, sweep } = turn;
      const { target } = ready;
      const seed = sweep === null ? trialSeed(context.seed, index) : ready.sweep.seed;
      const options = { slowness: ready.slowness, creation: target.kind === 'backend' };
      yield { index, target, seed, plan: sweep ?? drawKill(seed, options) };
    }
  }

  /** A control that has been caught has said all that it can; so has a target of which nothing can be measured. */
  private settled(context: CampaignContext, target: Target): boolean {
    const { counts } = context.tally.of(target.id, this.fault, this.rig);
    const violated = violationsIn(counts) > 0;
    if (target.expect === 'caught' && violated) return true;
    return counts['not-measured'] >= hopeless && counts.held === 0 && !violated;
  }

  private async trial(
    context: CampaignContext,
    slot: Slot,
    number: number,
    { target, rig, ignore }: Prepared,
    { index, seed, plan }: Item,
  ): Promise<void> {
    const place = this.place(slot, number, rig);
    const event = {
      type: 'trial',
      index,
      target: target.id,
      fault: this.fault,
      rig: this.rig,
      seed,
      plan,
    } as const;
    let outcome: TrialOutcome;
    try {
      place.clear();
      outcome = await runTrial(this.subject(slot, target), place, {
        seed,
        plan,
        recoverTwice: target.kind === 'command' ? target.recoverTwice : 'bytes',
        promise: promiseOf(target),
        ignore,
      });
    } catch (error) {
      if (context.stopping()) return;
      const reason = (error as Error).message;
      const full = forWantOfSpace(place.dir, reason);
      context.emit({
        ...event,
        verdict: full ? 'not-measured' : 'harness-broken',
        reason: full ? `the disk is full: ${reason}` : reason,
        acked: -1,
        recovered: null,
        millis: { run: 0, recover: 0, total: 0 },
      });
      return;
    }
    const ended = endOf(context, event, outcome, this.rig, target);
    context.emit(ended);
    if (isViolation(ended.verdict)) {
      context.addFinding({
        trial: index,
        target,
        fault: this.fault,
        rig: this.rig,
        verdict: ended.verdict,
        seed,
        plan,
        acked: ended.acked,
        recovered: ended.recovered,
        explanation: explain(ended),
        afterCrash: outcome.afterCrash,
        logs: { run: outcome.logs.run, check: outcome.logs.checks.join('\n') },
      });
    }
  }

  private subject(slot: Slot, target: Target): Subject {
    let subject = slot.subjects.get(target.id);
    if (subject === undefined) {
      subject = createSubject(target, slot.zygote);
      slot.subjects.set(target.id, subject);
    }
    return subject;
  }

  private place(slot: Slot, number: number, rig: Rig): Place {
    let place = slot.places.get(rig);
    if (place === undefined) {
      place = rig.place(number);
      slot.places.set(rig, place);
    }
    return place;
  }

  private end(context: CampaignContext, prepared: Map<string, Prepared>): void {
    for (const { target } of prepared.values()) {
      const { counts, hit } = context.tally.of(target.id, this.fault, this.rig);
      context.emit({
        type: 'target-ended',
        target: target.id,
        fault: this.fault,
        rig: this.rig,
        counts,
        ...(target.kind === 'command'
          ? {}
          : {
              coverage: {
                hit: target.steps.filter((step) => hit.has(step)),
                missed: target.steps.filter((step) => !hit.has(step)),
              },
            }),
      });
    }
  }
}

/** Random crashes of every target before any sweep, so that a short run has tried them all. */
const firstRounds = 2;

/**
 * The order of trials: a few random crashes of every target, then the sweeps, then random crashes of all in turn,
 * for ever. `sweep` is null for a random crash.
 */
function* inOrder(all: Prepared[]): Generator<{ ready: Prepared; sweep: CrashPlan | null }, void> {
  const rounds = new Map<Prepared, number>(all.map((ready) => [ready, 0]));
  const takeRandom = (ready: Prepared): boolean => {
    const round = rounds.get(ready) ?? 0;
    rounds.set(ready, round + 1);
    return ready.target.expect === 'hold' || round < controlTrials;
  };
  for (let round = 0; round < firstRounds; round++) {
    for (const ready of all) if (takeRandom(ready)) yield { ready, sweep: null };
  }
  for (const ready of all) for (const sweep of ready.sweep.plans) yield { ready, sweep };
  for (let open = all.length > 0; open;) {
    open = false;
    for (const ready of all) {
      if (!takeRandom(ready)) continue;
      open = true;
      yield { ready, sweep: null };
    }
  }
}

/** One target for each backend (and planted bug) covers all its named steps. */
function firstOfEachBackend(all: Prepared[]): Prepared[] {
  const seen = new Set<string>();
  return all.filter(({ target }) => {
    if (!sweepable(target)) return false;
    const name = target.kind === 'backend' ? `${target.backend} ${target.planted ?? ''}` : '';
    if (seen.has(name)) return false;
    seen.add(name);
    return true;
  });
}

/** Threads of their own pass their steps in another order each time; those targets get random kills alone. */
function sweepable(target: Target): boolean {
  return target.kind === 'backend' && target.workload !== 'threads' && target.background !== true;
}

function endOf(
  context: CampaignContext,
  event: Pick<TrialEnded, 'type' | 'index' | 'target' | 'fault' | 'rig' | 'seed' | 'plan'>,
  outcome: TrialOutcome,
  rig: string,
  target: Target,
): TrialEnded {
  const { judgement, observation, millis } = outcome;
  const known = context.tally.of(target.id, event.fault, rig).hit;
  const inRecovery = event.plan.then === undefined ? undefined : outcome.recoverySteps.at(-1);
  const fresh = inRecovery !== undefined && !known.has(inRecovery) ? [inRecovery] : [];
  return {
    ...event,
    verdict: judgement.verdict,
    ...(judgement.reason === undefined ? {} : { reason: judgement.reason }),
    acked: observation.acked,
    recovered: judgement.recovered,
    ...(outcome.step === undefined ? {} : { step: outcome.step }),
    ...(fresh.length === 0 ? {} : { stepsHit: fresh }),
    millis: {
      run: Math.round(millis.run * 100) / 100,
      recover: Math.round(millis.recover * 100) / 100,
      total: Math.round(millis.total * 100) / 100,
    },
  };
}

function explain(ended: TrialEnded): string {
  const where = ended.step === undefined ? '' : ` right after ${ended.step}`;
  const again = ended.plan.then === undefined ? '' : ', and again during recovery';
  return `${ended.verdict}: killed${where}${again}; ${ended.reason ?? ''}`;
}

async function takeCensus(subject: Subject, place: Place, seed: number): Promise<StepCensus> {
  place.clear();
  const created = await subject.setup(place.dir, seed, { mode: 'step', phase: 'create', step: 0 });
  place.clear();
  await subject.setup(place.dir, seed);
  const ran = await subject.run(place.dir, seed, { mode: 'step', phase: 'run', step: 0 });
  const run = ran.stepsPassed ?? [];
  const recover = [];
  for (const at of firstOccurrences(run)) {
    place.clear();
    await subject.setup(place.dir, seed);
    await subject.run(place.dir, seed, { mode: 'step', phase: 'run', step: at });
    const check = await subject.check(place.dir, seed, 0);
    recover.push({ at, steps: check.stepsPassed ?? [] });
  }
  return { create: created.stepsPassed ?? [], run, recover };
}

/** How much slower than a heap in memory a program is, from the time of its first commits. */
async function calibrate(subject: Subject, place: Place, seed: number): Promise<number> {
  place.clear();
  const made = await subject.setup(place.dir, seed);
  if (made.end !== 'exited') return 1;
  const ran = await subject.run(place.dir, seed, {
    mode: 'time',
    phase: 'run',
    afterCommit: 5,
    delayMicros: 1,
  });
  return Math.min(200, Math.max(1, (ran.commitMicros ?? 1000) / 1000));
}
