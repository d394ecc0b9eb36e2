/**
 * What all reports are made from: the event stream of a run in an amount of memory that depends on
 * the number of targets and their steps, and not on the number of trials.
 */
import { addCounts, noCounts, violationsIn } from '../harness/core/counts.js';
import type {
  FindingEvent,
  Note,
  Reporter,
  RunEnded,
  RunEvent,
  RunStarted,
  Skipped,
} from '../harness/core/events.js';
import { OverTrials } from './over-trials.js';
import { settingOf } from './setting.js';
import { Row } from './summary-row.js';
import { clip } from './text.js';

const limits = {
  /** Findings kept for each of: violations, and controls that were caught. */
  findings: 200,
  explanation: 4_000,
  timeline: 160,
  listed: 200,
  listedText: 2_000,
};

/** A control: something wrong on purpose, under all the workloads that could catch it. */
export interface Control {
  name: string;
  planted: boolean;
  rows: Row[];
  caught: boolean;
}

export class Summary implements Reporter {
  run: RunStarted | null = null;
  ended: RunEnded | null = null;
  /** The run was broken off and taken up again, so its times do not add up to a rate. */
  resumed = false;
  readonly rows: Row[] = [];
  /** Trials of targets that should hold. */
  readonly counts = noCounts();
  trials = 0;
  readonly overTrials = new OverTrials();
  skipped: Skipped[] = [];
  readonly notes: Note[] = [];
  /** In the order of their numbers; those of controls are `expected`. */
  readonly findings: FindingEvent[] = [];
  /** Findings that were too many to keep here; they are in the run directory. */
  findingsLeftOut = 0;
  private readonly byKey = new Map<string, Row>();
  private readonly kept = { expected: 0, unexpected: 0 };
  private readonly listed = new Set<string>();

  on(event: RunEvent): void {
    if (this.ended !== null && this.skipped.some(({ missed }) => missed === 'unreached')) this.goOn();
    switch (event.type) {
      case 'run-started':
        this.run ??= { ...event, argv: event.argv.slice(0, limits.listed) };
        break;
      case 'target-started':
        this.start(event.target);
        break;
      case 'trial': {
        const row = this.rowOf(event);
        row.trial(event);
        this.trials++;
        if (row.target.expect === 'hold') this.counts[event.verdict]++;
        this.overTrials.add(row.shown(event.verdict));
        break;
      }
      case 'states': {
        const row = this.rowOf(event);
        const before = row.trials;
        row.states(event);
        this.trials += row.trials - before;
        if (row.target.expect === 'hold') addCounts(this.counts, event.counts);
        break;
      }
      case 'finding':
        this.finding(event);
        break;
      case 'skipped':
        this.list(this.skipped, event, `${event.what}\n${event.reason}`);
        break;
      case 'note':
        this.list(this.notes, { ...event, text: clip(event.text, limits.listedText) }, event.text);
        break;
      case 'target-ended':
        this.rowOf(event).ended(event);
        break;
      case 'run-ended':
        if (this.ended !== null) this.resumed = true;
        this.ended = { ...event, caveats: event.caveats.slice(0, limits.listed) };
        break;
    }
  }

  /** Targets that should hold. */
  get subjects(): Row[] {
    return this.rows.filter(({ target }) => target.expect === 'hold');
  }

  /** A wrong backend need be caught under one of its workloads; a planted bug likewise. */
  get controls(): Control[] {
    const groups = new Map<string, Control>();
    for (const row of this.rows) {
      const { target } = row;
      if (target.expect !== 'caught') continue;
      const what = target.planted ?? target.backend ?? target.id;
      // A disk that keeps all need not show what one that loses writes shows.
      const fs = settingOf(target) === null ? target.fs : undefined;
      const name = `${what} (${target.fault} on ${target.rig}${fs === undefined ? '' : `, ${fs}`})`;
      const group = groups.get(name) ?? {
        name,
        planted: target.planted !== undefined,
        rows: [],
        caught: false,
      };
      group.rows.push(row);
      group.caught ||= row.violations > 0;
      groups.set(name, group);
    }
    return [...groups.values()];
  }

  /** Violations of targets that should hold. */
  get violations(): number {
    return violationsIn(this.counts);
  }

  /** Judged crashes of targets that should hold. */
  get crashes(): number {
    return this.counts.held + this.violations;
  }

  get unexpectedFindings(): FindingEvent[] {
    return this.findings.filter(({ expected }) => !expected);
  }

  get expectedFindings(): FindingEvent[] {
    return this.findings.filter(({ expected }) => expected);
  }

  private start(target: Row['target']): void {
    const key = keyOf(target.id, target.fault, target.rig, target.fs);
    if (this.byKey.has(key)) {
      this.resumed = true; // only a run that is taken up again starts a target twice
      return;
    }
    const row = new Row(target);
    this.rows.push(row);
    this.byKey.set(key, row);
    // An event that names no file system belongs to the row that was started last.
    this.byKey.set(keyOf(target.id, target.fault, target.rig), row);
  }

  private rowOf(event: { target: string; fault: FindingEvent['fault']; rig: string; fs?: string }): Row {
    const { target: id, fault, rig, fs } = event;
    const key = keyOf(id, fault, rig, fs);
    if (!this.byKey.has(key)) {
      // A log that does not say what the target is: it counts as one that should hold.
      this.start({ id, kind: 'command', expect: 'hold', fault, rig, ...(fs === undefined ? {} : { fs }) });
    }
    return this.byKey.get(key) ?? new Row({ id, kind: 'command', expect: 'hold', fault, rig });
  }

  private finding(event: FindingEvent): void {
    const kind = event.expected ? 'expected' : 'unexpected';
    if (this.kept[kind] >= limits.findings) {
      this.findingsLeftOut++;
      return;
    }
    this.kept[kind]++;
    const { timeline, ...rest } = event;
    this.findings.push({
      ...rest,
      explanation: clip(event.explanation, limits.explanation),
      ...(timeline === undefined ? {} : { timeline: around(timeline) }),
    });
  }

  /** The run was taken up again: what was not reached may be now. */
  private goOn(): void {
    this.skipped = this.skipped.filter(({ missed }) => missed !== 'unreached');
  }

  private list<T>(into: T[], item: T, identity: string): void {
    const key = clip(identity, limits.listedText);
    if (into.length >= limits.listed || this.listed.has(key)) return;
    this.listed.add(key);
    into.push(item);
  }
}

function keyOf(id: string, fault: string, rig: string, fs = ''): string {
  return [id, fault, rig, fs].join('\u0000');
}

/** The part of a timeline around its cut. */
function around<T extends { kind: string }>(timeline: T[]): T[] {
  if (timeline.length <= limits.timeline) return timeline;
  const cut = timeline.findLastIndex(({ kind }) => kind === 'cut');
  const end = Math.min(timeline.length, Math.max(limits.timeline, cut + limits.timeline / 8));
  return timeline.slice(end - limits.timeline, end);
}
