/** Running totals of a campaign, from its event stream alone, so that a resumed or merged run adds up by itself. Bounded by the number of targets. */
import { addCounts, noCounts, upperBound95, violationsIn, type Counts } from '../core/counts.js';
import type { FaultName, FindingEvent, RunEvent, TargetSummary } from '../core/events.js';
import { isViolation, type CampaignVerdict } from '../core/verdict.js';
import { worst } from '../oracle/merge.js';

export interface TargetTally {
  target: TargetSummary;
  counts: Counts;
  /** Held among independent random trials: what the upper bound is made of. */
  randomHeld: number;
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
  readonly skipped: { what: string; reason: string }[] = [];
  readonly faults = new Set<FaultName>();
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
        const measured = event.verdict === 'held' || isViolation(event.verdict);
        if (event.step !== undefined && measured) tally.hit.add(event.step);
        for (const step of event.stepsHit ?? []) tally.hit.add(step);
        this.reason(tally, event.verdict, event.reason);
        break;
      }
      case 'states': {
        const tally = this.of(event.target, event.fault, event.rig, event.fs);
        addCounts(tally.counts, event.counts);
        if (tally.target.expect === 'hold') addCounts(this.counts, event.counts);
        for (const step of Object.keys(event.bySteps ?? {})) tally.hit.add(step);
        break;
      }
      case 'finding':
        this.finding(event);
        break;
      case 'skipped':
        this.skipped.push({ what: event.what, reason: event.reason });
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

  private start(target: TargetSummary): void {
    this.faults.add(target.fault);
    const id = key(target.id, target.fault, target.rig, target.fs);
    if (this.targets.has(id)) return; // a resumed run starts its targets again
    this.targets.set(id, {
      target,
      counts: noCounts(),
      randomHeld: 0,
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
  for (const [name, group] of groupControls(tally.controls())) {
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
  if (gateUpperBound !== null) gate(held, gateUpperBound, lower);
  if (!tally.faults.has('cut') && !tally.faults.has('poweroff') && !tally.faults.has('power-command')) {
    caveats.push(
      'Only processes were killed: the page cache survived every crash, so a missing flush could not be seen.',
    );
  }
  return { verdict, caveats };
}

function gate(held: TargetTally[], bound: number, lower: (to: CampaignVerdict, why: string) => void): void {
  for (const { target, randomHeld } of held) {
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

function groupControls(controls: TargetTally[]): Map<string, TargetTally[]> {
  const groups = new Map<string, TargetTally[]>();
  for (const control of controls) {
    const name = controlGroup(control);
    groups.set(name, [...(groups.get(name) ?? []), control]);
  }
  return groups;
}
