/** What a campaign gives to the engines that torture targets by one fault on one rig. */
import type { CrashPlan, FaultName, FindingEvent, RunEvent, TimelineEntry } from '../core/events.js';
import type { Target } from '../core/target.js';
import type { Violation } from '../core/verdict.js';
import type { Tally } from './tally.js';

export interface Shard {
  /** 1-based. */
  index: number;
  of: number;
}

export interface Budget {
  /** Wall time in milliseconds, or null. */
  millis: number | null;
  /** Trials in all, sweeps included, or null. */
  trials: number | null;
}

/** A way to crash that a campaign means to try. */
export interface Wanted {
  fault: FaultName;
  rig: string;
  /** A file system, where each of them was asked for. */
  fs?: string;
  /** The user asked for it, and did not just leave the choice to us. */
  named: boolean;
}

export interface NewFinding {
  trial: number;
  target: Target;
  fault: FaultName;
  rig: string;
  fs?: string;
  verdict: Violation;
  seed: number;
  plan: CrashPlan;
  acked: number;
  recovered: number | null;
  explanation: string;
  /** Of rig `vm`: kernel, packages and QEMU of the guests. */
  guest?: string;
  afterCrash: string | null;
  logs: Record<string, string>;
  timeline?: TimelineEntry[];
  /** File of the bundle, if the rig made one; it is moved into the finding's folder. */
  bundle?: string;
}

export interface CampaignContext {
  readonly seed: number;
  readonly shard: Shard;
  readonly runFolder: string;
  /** Folder on a real file system for targets' files. */
  readonly workFolder: string;
  /** Folder for what may as well live in memory. */
  readonly scratchFolder: string;
  readonly jobs: number;
  readonly tally: Tally;
  /** Trials that an earlier part of a resumed run has done. */
  readonly done: ReadonlySet<number>;
  emit(event: RunEvent): void;
  /** Keeps the evidence, if it is worth keeping; null where enough of its kind is there. */
  addFinding(finding: NewFinding): FindingEvent | null;
  /** True once no new trial may begin: interrupted, or too many failures. */
  stopping(): boolean;
}

export interface Engine {
  readonly fault: FaultName;
  readonly rig: string;
  /** What a report must say of where it works, beside what it says of the machine. */
  facts?(): Record<string, string>;
  /** Tortures until the budget is spent. Trial indices begin at `firstIndex`; returns the next free one. */
  run(context: CampaignContext, budget: Budget, firstIndex: number): Promise<number>;
}
