/** One target under one fault on one rig (and file system): a row of every report. */
import { addCounts, noCounts, upperBound95, violationsIn } from '../harness/core/counts.js';
import type {
  CrashPlan,
  StatesExplored,
  TargetEnded,
  TargetSummary,
  TrialEnded,
} from '../harness/core/events.js';
import { isViolation, verdicts, type Verdict } from '../harness/core/verdict.js';
import { Histogram } from './histogram.js';
import { noneShown, type Shown, type ShownCounts } from './over-trials.js';
import { clip } from './text.js';

const longestReason = 2_000;
const mostSteps = 1_000;

export interface Explored {
  states: number;
  /** null where any part of the space was not counted. */
  of: number | null;
  exhaustive: boolean;
  millis: number;
}

export class Row {
  readonly counts = noCounts();
  /** Trials and states of any verdict. */
  trials = 0;
  /** Held among independent random trials: what the upper bound is made of. */
  randomHeld = 0;
  readonly modes: Record<CrashPlan['mode'], number> = { step: 0, time: 0, state: 0 };
  readonly phases: Record<CrashPlan['phase'], number> = { create: 0, run: 0, recover: 0 };
  /** Crashes that were followed by another one during recovery. */
  again = 0;
  /** Crashes by the named step after which they fell. */
  readonly bySteps = new Map<string, ShownCounts>();
  private readonly hitAlone = new Set<string>();
  private knownSteps: string[];
  readonly recovery = new Histogram();
  millis = 0;
  explored: Explored | null = null;
  /** First reason of each verdict that is not `held`. */
  readonly reasons = new Map<Verdict, string>();

  constructor(readonly target: TargetSummary) {
    this.knownSteps = (target.steps ?? []).slice(0, mostSteps);
  }

  trial(event: TrialEnded): void {
    this.trials++;
    this.counts[event.verdict]++;
    this.modes[event.plan.mode]++;
    this.phases[event.plan.phase]++;
    this.millis += event.millis.total;
    const measured = event.verdict === 'held' || isViolation(event.verdict);
    if (event.verdict === 'held' && event.plan.mode === 'time') this.randomHeld++;
    if (measured) {
      if (event.plan.then !== undefined) this.again++;
      this.recovery.add(event.millis.recover);
      if (event.step !== undefined) this.crashAt(event.step, this.shown(event.verdict), 1);
    }
    for (const step of event.stepsHit ?? []) this.passed(step);
    if (event.reason !== undefined && !this.reasons.has(event.verdict)) {
      this.reasons.set(event.verdict, clip(event.reason, longestReason));
    }
  }

  states(event: StatesExplored): void {
    const sum = verdicts.reduce((all, verdict) => all + (event.counts[verdict] ?? 0), 0);
    this.trials += sum;
    addCounts(this.counts, event.counts);
    this.modes.state += sum;
    this.millis += event.millis;
    for (const [step, count] of Object.entries(event.bySteps ?? {})) this.crashAt(step, 'held', count);
    const before = this.explored ?? { states: 0, of: 0, exhaustive: true, millis: 0 };
    this.explored = {
      states: before.states + event.states,
      of: before.of === null || event.of === null ? null : before.of + event.of,
      exhaustive: before.exhaustive && event.exhaustive,
      millis: before.millis + event.millis,
    };
  }

  ended(event: TargetEnded): void {
    if (event.coverage === undefined) return;
    const { hit, missed } = event.coverage;
    if (this.knownSteps.length === 0) this.knownSteps = [...hit, ...missed].slice(0, mostSteps);
    for (const step of hit) this.passed(step);
  }

  shown(verdict: Verdict): Shown {
    if (!isViolation(verdict)) return verdict;
    return this.target.expect === 'caught' ? 'caught' : 'violation';
  }

  /** The counts as they are shown. */
  shownCounts(): ShownCounts {
    const shown = noneShown();
    for (const verdict of verdicts) shown[this.shown(verdict)] += this.counts[verdict];
    return shown;
  }

  get violations(): number {
    return violationsIn(this.counts);
  }

  /** Crashes that were judged. */
  get crashes(): number {
    return this.counts.held + this.violations;
  }

  /** The 95 % bound on the probability of a violation; null where trials were not random, or one was violated. */
  get upperBound(): number | null {
    if (this.target.expect === 'caught' || this.violations > 0 || this.randomHeld === 0) return null;
    return upperBound95(this.randomHeld);
  }

  /** Named steps at which a crash fell, of all; null where the steps are not known (programs). */
  coverage(): { hit: string[]; missed: string[] } | null {
    if (this.knownSteps.length === 0) return null;
    const hit = (step: string): boolean => this.bySteps.has(step) || this.hitAlone.has(step);
    return { hit: this.knownSteps.filter(hit), missed: this.knownSteps.filter((step) => !hit(step)) };
  }

  private crashAt(step: string, shown: Shown, count: number): void {
    let counts = this.bySteps.get(step);
    if (counts === undefined) {
      if (this.bySteps.size >= mostSteps) return;
      counts = noneShown();
      this.bySteps.set(step, counts);
    }
    counts[shown] += count;
  }

  private passed(step: string): void {
    if (this.hitAlone.size < mostSteps) this.hitAlone.add(step);
  }
}
