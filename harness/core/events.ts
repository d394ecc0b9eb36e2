/**
 * The event stream of a run: one JSON object a line in `events.jsonl`, append-only. It is the
 * truth about a run; reports are renderings of it and nothing else.
 */
import type { CampaignVerdict, Verdict } from './verdict.js';

export const eventSchema = 'plugpull.events/1';

export type FaultName = 'kill' | 'cut' | 'poweroff' | 'power-command';

/** How one crash was aimed. Enough, with the seed, to aim it again. */
export interface CrashPlan {
  /** `step`: at a named step, exactly; `time`: a moment drawn from the seed; `state`: a crash state of a recorded run. */
  mode: 'step' | 'time' | 'state';
  /** Phase in which the process was stopped. */
  phase: 'create' | 'run' | 'recover';
  /** step: the 1-based number of the step in that phase. */
  step?: number;
  /** time: after this acked commit … */
  afterCommit?: number;
  /** … so many microseconds. */
  delayMicros?: number;
  /** A further crash during the recovery that follows. */
  then?: CrashPlan;
  /** state: canonical path of decisions that leads to the crash state (rigs `model` and `disk`). */
  choices?: string;
}

export interface RunStarted {
  type: 'run-started';
  schema: typeof eventSchema;
  at: string;
  run: string;
  version: string;
  argv: string[];
  /** The campaign's seed. */
  seed: number;
  shard: { index: number; of: number };
  machine: Record<string, string>;
  config: unknown;
}

export interface TargetStarted {
  type: 'target-started';
  target: TargetSummary;
}

export interface TargetSummary {
  /** Unique in the run, e.g. `redo/bank`, `redo+bug:log-without-checksum/bank`, `sqlite-wal`. */
  id: string;
  kind: 'backend' | 'command';
  backend?: string;
  workload?: string;
  /** Name of the planted bug, when the target is wrong on purpose. */
  planted?: string;
  /** `hold`: a violation is a finding. `caught`: a control that must be caught. */
  expect: 'hold' | 'caught';
  fault: FaultName;
  rig: string;
  fs?: string;
  /** Every named step of the target's protocols, where they are known: the denominator of coverage. */
  steps?: string[];
}

export interface TrialEnded {
  type: 'trial';
  /** 0-based index in the campaign. */
  index: number;
  target: string;
  fault: FaultName;
  rig: string;
  fs?: string;
  seed: number;
  plan: CrashPlan;
  verdict: Verdict;
  /** Why, in one sentence; always there unless `held`. */
  reason?: string;
  /** -1: not even commit 0 was acked. */
  acked: number;
  /** The commit that the recovered data hold; null if none could be read. */
  recovered: number | null;
  /** Name of the step at which (or after which) the crash fell, where known. */
  step?: string;
  /** Names of steps passed, where the trial adds to coverage. */
  stepsHit?: string[];
  millis: { run: number; recover: number; total: number };
}

/** Crash states explored in bulk: one event for many trials of the same kind (rigs `model` and `disk`). */
export interface StatesExplored {
  type: 'states';
  target: string;
  fault: FaultName;
  rig: string;
  fs?: string;
  counts: Partial<Record<Verdict, number>>;
  states: number;
  /** Size of the space, null where it was not counted. */
  of: number | null;
  exhaustive: boolean;
  /** States whose crash fell after this step. */
  bySteps?: Record<string, number>;
  millis: number;
}

export interface FindingEvent {
  type: 'finding';
  /** 1-based in the run. */
  number: number;
  trial: number;
  target: string;
  verdict: Verdict;
  fault: FaultName;
  rig: string;
  fs?: string;
  seed: number;
  plan: CrashPlan;
  acked: number;
  recovered: number | null;
  /** What was wrong, for a person. */
  explanation: string;
  /** Of rig `vm`: kernel, packages and QEMU of the guests. */
  guest?: string;
  /** Folder of the evidence, relative to the run directory. */
  folder: string;
  /** File that can be replayed elsewhere, relative to the run directory; null where the rig makes none. */
  bundle: string | null;
  /** A command line that shows it again. */
  replay: string;
  /** Was it expected (a control or a planted bug)? */
  expected: boolean;
  /** Operations around the cut, for the picture (rigs `model` and `disk`). */
  timeline?: TimelineEntry[];
}

export interface TimelineEntry {
  kind: 'write' | 'flush' | 'metadata' | 'ack' | 'step' | 'cut';
  label: string;
  file?: string;
  offset?: number;
  length?: number;
  fate?: 'durable' | 'kept' | 'lost' | 'torn';
  step?: string;
}

/** Something that was not tried, by name and with its reason. */
export interface Skipped {
  type: 'skipped';
  what: string;
  reason: string;
  /** How to get it, where there is a way. */
  remedy?: string;
  /** It was asked for by name, so that a run without it did not hold: this machine lacks it, or it was not reached. */
  missed?: 'lacking' | 'unreached';
}

export interface Note {
  type: 'note';
  level: 'info' | 'warning';
  text: string;
}

export interface TargetEnded {
  type: 'target-ended';
  target: string;
  fault: FaultName;
  rig: string;
  fs?: string;
  counts: Record<Verdict, number>;
  /** Named steps at which a crash fell, of all named steps. */
  coverage?: { hit: string[]; missed: string[] };
}

export interface RunEnded {
  type: 'run-ended';
  at: string;
  verdict: CampaignVerdict;
  exitCode: number;
  interrupted: boolean;
  counts: Record<Verdict, number>;
  /** What this verdict does and does not say, one sentence each. */
  caveats: string[];
  millis: number;
}

export type RunEvent =
  | RunStarted
  | TargetStarted
  | TrialEnded
  | StatesExplored
  | FindingEvent
  | Skipped
  | Note
  | TargetEnded
  | RunEnded;

/** Reporters are listeners of the stream; they keep only what they show. */
export interface Reporter {
  on(event: RunEvent): void;
  /** Called once after the last event. */
  end?(): Promise<void>;
}
