/** The protocol between the controller and a zygote: one JSON object a line, one answer to each. */
import type { CrashPlan } from '../core/events.js';

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
  limits: WorkerLimits;
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

export type WorkerJob = RunJob | CheckJob | ServeJob;

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
  millis: number;
}

export interface WorkerResult {
  outcome: 'done' | 'consistent' | 'inconsistent' | 'failed' | 'absent';
  violation?: 'torn' | 'broken';
  state: number | null;
  reason: string;
}
