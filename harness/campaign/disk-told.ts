/** What is told of a target on a file system, over all runs of it that were recorded. */
import { addCounts, noCounts, violationsIn, type Counts } from '../core/counts.js';
import type { StatesExplored } from '../core/events.js';
import type { Explored } from '../disk/exploration.js';
import { describeFaults, givesErrors, type DiskFaultName, type DiskFaults } from '../disk/faults.js';
import type { Recording } from '../disk/recording.js';

export type Told = Omit<Explored, 'reasons' | 'allowedLoss'>;

export const nothing: Told = {
  states: 0,
  checked: 0,
  counts: {},
  of: null,
  exhaustive: false,
  bySteps: {},
  millis: 0,
};

/** The event that tells of them. @param who target, fault, rig and file system, as the event names them */
export function statesEvent(
  who: Pick<StatesExplored, 'target' | 'fault' | 'rig' | 'fs'>,
  told: Told,
): StatesExplored {
  return {
    type: 'states',
    ...who,
    counts: told.counts,
    states: told.states,
    of: told.exhaustive ? told.states : told.of,
    exhaustive: told.exhaustive,
    bySteps: told.bySteps,
    millis: Math.round(told.millis),
  };
}

function summed(...all: readonly Partial<Counts>[]): Counts {
  const sum = noCounts();
  for (const counts of all) addCounts(sum, counts);
  return sum;
}

export function addTold(a: Told, b: Told): Told {
  const bySteps = { ...a.bySteps };
  for (const [step, states] of Object.entries(b.bySteps)) bySteps[step] = (bySteps[step] ?? 0) + states;
  return {
    states: a.states + b.states,
    checked: a.checked + b.checked,
    counts: summed(a.counts, b.counts),
    of: a.of === null || b.of === null ? null : a.of + b.of,
    exhaustive: a.exhaustive && b.exhaustive,
    bySteps,
    millis: a.millis + b.millis,
  };
}

export function violatedIn({ counts }: Told): boolean {
  return violationsIn(summed(counts)) > 0;
}

/** What held measured nothing. */
export function unmeasured(counts: Partial<Counts>): Counts {
  const all = summed(counts);
  return { ...all, held: 0, 'not-measured': all['not-measured'] + all.held };
}

/** What became of the errors that a disk was told to give. */
export class FaultLog {
  private runs = 0;
  private hit = 0;
  private ended = 0;
  private example: string | null = null;

  constructor(private readonly name: DiskFaultName) {}

  /** A full file system has shown itself only where the program met it: it may never have asked for space. */
  add(faults: DiskFaults, { refused = 0, error = null }: Pick<Recording, 'refused' | 'error'>): void {
    this.runs++;
    if (refused > 0 || error !== null) this.hit++;
    if (error === null) return;
    this.ended++;
    this.example ??= `${error.trim()} (${describeFaults(faults)})`;
  }

  /** The disk did what it was asked to in one run at least. */
  get happened(): boolean {
    return !givesErrors(this.name) || this.hit > 0;
  }

  /** One sentence; null where no errors were asked for. */
  text(who: string): string | null {
    if (!givesErrors(this.name) || this.runs === 0) return null;
    const told = this.example === null ? '' : `, for instance: ${this.example}`;
    return `${who}: the disk failed in ${this.hit} of ${this.runs} runs, and the program ended early in ${this.ended}${told}`;
  }
}
