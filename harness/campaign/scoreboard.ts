/** Which planted bug was caught by what, after how much, and how long that took: what `certify` prints. */
import type { PlantedBugInfo } from '../../native/index.js';
import type { Reporter, RunEvent } from '../core/events.js';
import { violationsIn, addCounts, noCounts } from '../core/counts.js';
import { isViolation, type Verdict } from '../core/verdict.js';

interface Catch {
  fault: string;
  rig: string;
  verdict: Verdict;
  /** Crashes (or crash states) until then. */
  after: number;
  millis: number;
}

interface Row {
  bug: PlantedBugInfo;
  tried: Map<string, { crashes: number; millis: number }>;
  catches: Catch[];
}

export interface CertifyResult {
  schema: 'plugpull.certify/1';
  planted: number;
  caught: number;
  /** Need errors of the OS, and this machine has no rig `disk`: tested with the core, not here. */
  notTried: string[];
  accused: string[];
  /** Crashes of correct backends that held. */
  held: number;
  bugs: { name: string; summary: string; catches: Catch[] }[];
}

export class Scoreboard implements Reporter {
  private readonly rows = new Map<string, Row>();
  private readonly targets = new Map<string, string | null>();
  private readonly accused = new Set<string>();
  private held = 0;

  constructor(private readonly bugs: PlantedBugInfo[]) {
    for (const bug of bugs) this.rows.set(bug.name, { bug, tried: new Map(), catches: [] });
  }

  on(event: RunEvent): void {
    if (event.type === 'target-started') {
      const { id, planted, expect } = event.target;
      this.targets.set(id, expect === 'hold' ? null : (planted ?? ''));
    } else if (event.type === 'trial') {
      const verdict = isViolation(event.verdict) ? event.verdict : null;
      this.count(
        event.target,
        event.fault,
        event.rig,
        1,
        verdict,
        event.millis.total,
        event.verdict === 'held' ? 1 : 0,
      );
    } else if (event.type === 'states') {
      const verdict = (Object.keys(event.counts) as Verdict[]).find(isViolation) ?? null;
      this.count(
        event.target,
        event.fault,
        event.rig,
        event.states,
        verdict,
        event.millis,
        event.counts.held ?? 0,
      );
      const counts = noCounts();
      addCounts(counts, event.counts);
      if (violationsIn(counts) > 0 && this.targets.get(event.target) === null) this.accused.add(event.target);
    }
  }

  private count(
    target: string,
    fault: string,
    rig: string,
    crashes: number,
    verdict: Verdict | null,
    millis: number,
    held: number,
  ): void {
    const planted = this.targets.get(target);
    if (planted === null) {
      this.held += held;
      if (verdict !== null) this.accused.add(target);
      return;
    }
    const row = this.rows.get(planted ?? '');
    if (row === undefined) return;
    const before = row.tried.get(rig) ?? { crashes: 0, millis: 0 };
    const now = { crashes: before.crashes + crashes, millis: before.millis + millis };
    row.tried.set(rig, now);
    if (verdict === null || row.catches.some((one) => one.rig === rig)) return;
    row.catches.push({ fault, rig, verdict, after: now.crashes, millis: Math.round(now.millis) });
  }

  /** Planted bugs that a crash can show; those that need a disk that fails only where one was to be had. */
  private shown(): Row[] {
    return [...this.rows.values()].filter(({ bug, tried }) => bug.seenBy !== 'error' || tried.size > 0);
  }

  passed(): boolean {
    return this.accused.size === 0 && this.shown().every(({ catches }) => catches.length > 0);
  }

  result(): CertifyResult {
    const shown = this.shown();
    return {
      schema: 'plugpull.certify/1',
      planted: shown.length,
      caught: shown.filter(({ catches }) => catches.length > 0).length,
      notTried: this.bugs
        .map(({ name }) => name)
        .filter((name) => !shown.some(({ bug }) => bug.name === name)),
      accused: [...this.accused],
      held: this.held,
      bugs: shown.map(({ bug, catches }) => ({ name: bug.name, summary: bug.summary, catches })),
    };
  }

  table(): string {
    const { planted, caught, notTried, accused, held, bugs } = this.result();
    const width = Math.max(...bugs.map(({ name }) => name.length));
    const lines = bugs.map(({ name, catches }) => {
      const told = catches.map(
        ({ fault, rig, verdict, after, millis }) =>
          `${fault} on ${rig}: ${verdict} after ${after} ${rig === 'folder' ? 'crashes' : 'states'}, ${millis} ms`,
      );
      return `  ${name.padEnd(width)}  ${told.length === 0 ? 'ESCAPED' : told.join('; ')}`;
    });
    const shares = [
      `${caught} of ${planted} planted bugs were caught.`,
      `Correct backends: ${held} crashes held, ${accused.length === 0 ? 'none accused' : `ACCUSED: ${accused.join(', ')}`}.`,
      ...(notTried.length === 0
        ? []
        : [
            `Not tried here, because only a failing disk shows them, and rig disk is not to be had (the core's own tests do): ${notTried.join(', ')}.`,
          ]),
    ];
    return `Planted bugs\n${lines.join('\n')}\n\n${shares.join('\n')}\n`;
  }
}
