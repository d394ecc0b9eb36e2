/** The protocol between the controller and a zygote: one JSON object a line, one answer to each. */
import type { ModelChange, ModelOperation } from '../../native/index.js';
import type { CrashPlan } from '../core/events.js';
import type { Verdict, Violation } from '../core/verdict.js';

/** The target as a worker needs it. */
export interface WorkerTarget {
  backend: string;
  workload: string;
  workloadModule?: string;
  planted?: string;
  tracker?: 'auto' | 'pagemap' | 'mprotect' | 'compare';
  input?: string;
  background?: boolean;
}

export interface WorkerLimits {
  timeMs: number;
  rssBytes: number;
  outputBytes: number;
}

export interface RunJob {
  op: 'run';
  target: WorkerTarget;
  dir: string;
  seed: number;
  create: boolean;
  plan: CrashPlan | null;
  /** Stop by itself after so many commits. */
  commits: number;
  /** File that is told of every step and every ack, at once: the marks of a recording disk. */
  marks?: string;
  /** Marks that leave the machine before the work goes on. A plan of mode `step` then stands still instead of killing. */
  places?: MarkPlaces;
  limits: WorkerLimits;
}

export interface MarkPlaces {
  /** Each mark is a line here. */
  port?: string;
  /** Each is a sector at `offset` of this block device. */
  disk?: { device: string; offset: number };
  /** Named pipe from which one byte is read after each of `begin`, `ack` and `done`. */
  gate?: string;
  /** Mark the steps too. */
  steps: boolean;
}

export interface CheckJob {
  op: 'check';
  target: WorkerTarget;
  dir: string;
  seed: number;
  acked: number;
  plan: CrashPlan | null;
  limits: WorkerLimits;
}

/** Checks many folders in one child: a line with a folder comes in, a line with what was found goes out. */
export interface ServeJob {
  op: 'serve';
  target: WorkerTarget;
  seed: number;
  /** Named pipes. */
  requests: string;
  answers: string;
  limits: WorkerLimits;
}

/** Records a run over the storage model and explores its crash states. */
export interface ExploreJob {
  op: 'explore';
  target: WorkerTarget;
  seed: number;
  /** Commits in the recorded run. */
  commits: number;
  /** Promises of the file system, by name. */
  profile: string;
  /** Crash states to visit at most. */
  maxStates: number;
  /** Cuts again during recovery, so many times. */
  nested: number;
  nestedStates: number;
  stopAtFirst: boolean;
  memoryBytes: number;
  /** Visit this state alone, instead of exploring. */
  replay?: string;
  limits: WorkerLimits;
}

/** A violation in the model, as small as it could be made. */
export interface ExploredFinding {
  verdict: Violation;
  acked: number;
  recovered: number | null;
  reason: string;
  /** Leads to the smallest state. */
  path: string;
  /** Operations of the run that had happened at the cut. */
  point: number;
  tries: number;
  changes: ModelChange[];
  /** The last operations before the cut; the first has the number `firstOperation` (from 1). */
  operations: ModelOperation[];
  firstOperation: number;
}

export interface ExploreResult {
  states: number;
  of: number | null;
  exhaustive: boolean;
  nested: number;
  counts: Partial<Record<Verdict, number>>;
  steps: Record<string, number>;
  /** Operations of the recorded run. */
  operations: number;
  /** Equal for equal runs. */
  hash: string;
  findings: ExploredFinding[];
  millis: { record: number; explore: number; minimize: number };
}

/** Loads all of our workloads, so that what comes later starts at once. */
export interface WarmJob {
  op: 'warm';
  limits: WorkerLimits;
}

export type WorkerJob = RunJob | CheckJob | ServeJob | ExploreJob | WarmJob;

export interface WorkerAnswer {
  end: { exit: number | null; signal: number | null; stopped: 'time' | 'memory' | 'output' | null };
  /** Commits acked: the newest, -1 for none. */
  acked: number;
  /** Was commit acked + 1 begun? */
  begun: boolean;
  steps: string[];
  /** What `check` found, or what stopped the work. */
  result: WorkerResult | null;
  log: string;
  /** op `explore`: what was found. */
  explored?: ExploreResult;
  millis: number;
}

export interface WorkerResult {
  outcome: 'done' | 'consistent' | 'inconsistent' | 'failed' | 'absent';
  violation?: 'torn' | 'broken';
  state: number | null;
  reason: string;
}
