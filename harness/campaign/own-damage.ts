/** Crash states that are the file system's own breakage: told and counted apart from those of the target that lived on it. */
import { addCounts, noCounts, violationsIn, type Counts } from '../core/counts.js';
import type { FaultName } from '../core/events.js';
import { choicesText } from '../disk/enumerate.js';
import type { Violation } from '../disk/exploration.js';
import { corruptionIn, listenToKernel } from '../disk/kernel-log.js';
import { unmountable, type StateSource } from '../disk/state-source.js';
import type { CampaignContext } from './context.js';

/** What it is called in events, as if it were a target. */
export const fileSystemTarget = 'file-system';

export interface Owner {
  fault: FaultName;
  rig: string;
  fs: string;
  /** Added to the name, for a disk that is wrong in some way. */
  suffix: string;
}

export class OwnDamage {
  readonly counts: Counts = noCounts();

  constructor(
    private readonly context: Pick<CampaignContext, 'emit'>,
    private readonly owner: Owner,
    private readonly listen: () => () => string = listenToKernel,
  ) {}

  get id(): string {
    return `${fileSystemTarget}${this.owner.suffix}`;
  }

  /**
   * Why a violation is the file system's own, or null. A program can only write to files: a file system that cannot be mounted,
   * or that the kernel calls corrupt, is not of its making.
   */
  async cause(found: Violation, source: StateSource): Promise<string | null> {
    const { reason = '', verdict } = found.judgement;
    const cause = reason.startsWith(unmountable) ? reason : await this.reported(found, source);
    if (cause === null) return null;
    const { fault, rig, fs } = this.owner;
    if (violationsIn(this.counts) === 0) {
      this.context.emit({
        type: 'target-started',
        target: { id: this.id, kind: 'command', expect: 'hold', fault, rig, fs },
      });
    }
    this.counts[verdict]++;
    return cause;
  }

  /** Shows the state once more and listens to what the kernel says of it. */
  private async reported({ epoch, choices, acked }: Violation, source: StateSource): Promise<string | null> {
    const heard = this.listen();
    const device = source.device ?? null;
    await source.check({ epoch: epoch.number, choices: choicesText(choices) }, acked.last);
    const log = heard();
    return device === null ? null : corruptionIn(log, device);
  }

  /** Takes what was told here out of a target's counts: there these states measured nothing. */
  settle(counts: Partial<Counts>, millis: number): Partial<Counts> {
    const states = violationsIn(this.counts);
    if (states === 0) return counts;
    const { fault, rig, fs } = this.owner;
    const common = { target: this.id, fault, rig, fs, counts: this.counts };
    this.context.emit({ type: 'states', ...common, states, of: null, exhaustive: false, millis });
    this.context.emit({ type: 'target-ended', ...common });
    const settled = noCounts();
    addCounts(settled, counts);
    for (const [verdict, count] of Object.entries(this.counts)) settled[verdict as keyof Counts] -= count;
    settled['not-measured'] += states;
    return settled;
  }
}
