/** Running totals of a campaign, from its event stream alone, so that a resumed or merged run adds up by itself. Bounded by the number of targets. */
import { addCounts, noCounts, upperBound95, violationsIn, type Counts } from '../core/counts.js';
import type { FaultName, FindingEvent, RunEvent, Skipped, TargetSummary } from '../core/events.js';
import { exitCodeOf, exitCodes } from '../core/exit-codes.js';
import { groupBy } from '../core/group-by.js';
import { isViolation, type CampaignVerdict } from '../core/verdict.js';
import { worst } from '../oracle/merge.js';

export interface TargetTally {
  target: TargetSummary;
  counts: Counts;
  /** Held among independent random trials: what the upper bound is made of. */
  randomHeld: number;
  /** Held trials whose check named the commit that it found, and that did not. */
  named: { yes: number; no: number };
  /** Crash states were explored: another kind of evidence than independent trials. */
  explored: boolean;
  /** Named steps at which a crash fell. */
  hit: Set<string>;
  /** First reason of each verdict that is not `held`. */
  reasons: Map<string, string>;
  ended: boolean;
}

/** Fewer crashes than this, and a control that was not caught says nothing yet. */
const enoughForControl = 40;

export class Tally {
  readonly counts = noCounts();
  readonly targets = new Map<string, TargetTally>();
  /** What was asked for by name and not tried: no such run held. */
  readonly missed: Skipped[] = [];
  findings = 0;
  unexpectedFindings = 0;
  trials = 0;

  add(event: RunEvent): void {
    switch (event.type) {
      case 'target-started':
        this.start(event.target);
        break;
      case 'trial': {
        this.trials++;
        const tally = this.of(event.target, event.fault, event.rig, event.fs);
        tally.counts[event.verdict]++;
        if (tally.target.expect === 'hold') this.counts[event.verdict]++;
        if (event.verdict === 'held' && event.plan.mode === 'time') tally.randomHeld++;
        if (event.verdict === 'held' && event.acked >= 0) {
          tally.named[event.recovered === null ? 'no' : 'yes']++;
        }
        const measured = event.verdict === 'held' || isViolation(event.verdict);
        if (event.step !== undefined && measured) tally.hit.add(event.step);
        for (const step of event.stepsHit ?? []) tally.hit.add(step);
        this.reason(tally, event.verdict, event.reason);
        break;
      }
      case 'states': {
        const tally = this.of(event.target, event.fault, event.rig, event.fs);
        addCounts(tally.counts, event.counts);
        tally.explored = true;
        if (tally.target.expect === 'hold') addCounts(this.counts, event.counts);
        for (const step of Object.keys(event.bySteps ?? {})) tally.hit.add(step);
        break;
      }
      case 'finding':
        this.finding(event);
        break;
      case 'skipped':
        if (event.missed !== undefined) this.missed.push(event);
        break;
      case 'target-ended':
        this.of(event.target, event.fault, event.rig, event.fs).ended = true;
        break;
      default:
    }
  }

  of(id: string, fault: FaultName, rig: string, fs?: string): TargetTally {
    const found = this.targets.get(key(id, fault, rig, fs));
    if (found === undefined) throw new Error(`target ${id} was never started under ${fault} on ${rig}`);
    return found;
  }

  /** Was a crash of this kind judged, or tried in vain? */
  measured(fault: FaultName, rig: string, fs?: string): boolean {
    return [...this.targets.values()].some(
      ({ target, counts }) =>
        target.fault === fault &&
        target.rig === rig &&
        (fs === undefined || target.fs === fs) &&
        Object.values(counts).some((count) => count > 0),
    );
  }

  /** Undefined: not started yet. */
  find(id: string, fault: FaultName, rig: string, fs?: string): TargetTally | undefined {
    return this.targets.get(key(id, fault, rig, fs));
  }

  private start(target: TargetSummary): void {
    const id = key(target.id, target.fault, target.rig, target.fs);
    if (this.targets.has(id)) return; // a resumed run starts its targets again
    this.targets.set(id, {
      target,
      counts: noCounts(),
      randomHeld: 0,
      named: { yes: 0, no: 0 },
      explored: false,
      hit: new Set(),
      reasons: new Map(),
      ended: false,
    });
  }

  private finding(event: FindingEvent): void {
    this.findings = Math.max(this.findings, event.number);
    if (!event.expected) this.unexpectedFindings++;
  }

  private reason(tally: TargetTally, verdict: string, reason: string | undefined): void {
    if (reason !== undefined && !tally.reasons.has(verdict)) tally.reasons.set(verdict, reason);
  }

  /** Violations, held and all, of targets that should hold and of controls. */
  held(): TargetTally[] {
    return [...this.targets.values()].filter(({ target }) => target.expect === 'hold');
  }

  controls(): TargetTally[] {
    return [...this.targets.values()].filter(({ target }) => target.expect === 'caught');
  }
}

function key(id: string, fault: string, rig: string, fs = ''): string {
  return [id, fault, rig, fs].join('\u0000');
}

export interface Conclusion {
  verdict: CampaignVerdict;
  caveats: string[];
}

/** The campaign's verdict: violation > harness-broken > not-measured > held. */
export function conclude(tally: Tally, gateUpperBound: number | null): Conclusion {
  let verdict: CampaignVerdict = 'held';
  const caveats: string[] = [];
  const lower = (to: CampaignVerdict, why: string): void => {
    verdict = worst(verdict, to);
    caveats.push(why);
  };
  const held = tally.held();
  if (held.some(({ counts }) => violationsIn(counts) > 0)) verdict = 'violation';
  if (held.length === 0 && tally.controls().length === 0) lower('not-measured', 'No target was tried.');
  for (const { target, counts, reasons } of held) {
    if (counts['harness-broken'] > 0) {
      lower('harness-broken', `${nameOf(target)}: ${reasons.get('harness-broken') ?? 'the harness failed'}.`);
    }
    const missed = counts['not-measured'];
    if (counts.held + violationsIn(counts) === 0) {
      lower(
        'not-measured',
        `${nameOf(target)}: nothing was measured (${reasons.get('not-measured') ?? 'no trial'}).`,
      );
    } else if (missed > counts.held) {
      lower(
        'not-measured',
        `${nameOf(target)}: most trials measured nothing (${reasons.get('not-measured') ?? ''}).`,
      );
    }
  }
  for (const [name, group] of groupBy(tally.controls(), controlGroup)) {
    if (group.some(({ counts }) => violationsIn(counts) > 0)) continue;
    const tried = group.reduce((sum, { counts }) => sum + counts.held, 0);
    if (tried >= enoughForControl) {
      lower(
        'harness-broken',
        `${name} is wrong on purpose and was not caught in ${tried} crashes: do not trust this run.`,
      );
    } else {
      lower('not-measured', `${name} is wrong on purpose and was not caught yet, after ${tried} crashes.`);
    }
  }
  for (const { what, reason } of tally.missed)
    lower('not-measured', `${what} was asked for, and not tried: ${reason}.`);
  if (gateUpperBound !== null) gate(held, gateUpperBound, lower);
  if (onlyKilled([...held, ...tally.controls()])) {
    caveats.push(
      'Only processes were killed: the page cache survived every crash, so a missing flush could not be seen.',
    );
  }
  for (const id of withoutState(held)) {
    caveats.push(`${id}: its check never printed \`plugpull state K\`, so lost commits could not be seen.`);
  }
  return { verdict, caveats };
}

function judged({ counts }: TargetTally): number {
  return counts.held + violationsIn(counts);
}

/** Something was killed, and nothing lost its power. */
function onlyKilled(tallies: TargetTally[]): boolean {
  const tried = tallies.filter((tally) => judged(tally) > 0);
  return tried.length > 0 && tried.every(({ target }) => target.fault === 'kill');
}

/** Programs of which no check ever said which commit it found. */
function withoutState(held: TargetTally[]): string[] {
  const ids = new Set(held.filter(({ target }) => target.kind === 'command').map(({ target }) => target.id));
  return [...ids].filter((id) => {
    const own = held.filter(({ target }) => target.id === id);
    return own.some(({ named }) => named.no > 0) && own.every(({ named }) => named.yes === 0);
  });
}

/** A campaign's verdict as an exit status. */
export function exitCodeFor(verdict: CampaignVerdict, tally: Tally): number {
  const lacking = tally.missed.some(({ missed }) => missed === 'lacking');
  return verdict === 'not-measured' && lacking ? exitCodes.unavailable : exitCodeOf(verdict);
}

function gate(held: TargetTally[], bound: number, lower: (to: CampaignVerdict, why: string) => void): void {
  // States that were explored are no random trials, and no number of them bounds a probability.
  const random = held.filter(({ randomHeld, explored }) => randomHeld > 0 || !explored);
  if (random.length === 0 && held.length > 0) {
    lower('not-measured', 'No random trial was made, so nothing bounds the probability of a violation.');
  }
  for (const { target, randomHeld } of random) {
    const reached = upperBound95(randomHeld);
    if (reached <= bound) continue;
    lower(
      'not-measured',
      `${target.id} (${target.fault}): ${randomHeld} independent trials held, which bounds the probability of a violation ` +
        `by ${reached.toPrecision(2)}; ${Math.ceil(3 / bound)} are needed for ${bound}.`,
    );
  }
}

function nameOf({ id, fs }: TargetSummary): string {
  return fs === undefined ? id : `${id} on ${fs}`;
}

/** A control backend need be caught under one of its workloads; a planted bug likewise. */
function controlGroup({ target }: TargetTally): string {
  return `${target.planted ?? target.backend ?? target.id} (${target.fault} on ${target.rig})`;
}
