/** A target brought to life in a folder: the same three acts for a workload over our heap and for any program. */
import type { CrashPlan } from '../core/events.js';

export interface SubjectRun {
  /** Newest commit known to have been acknowledged; -1: none, not even the creation. */
  acked: number;
  /** Was work under way when it died? */
  begun: boolean;
  end: 'killed-by-us' | 'exited' | 'crashed' | 'timeout' | 'protocol-error';
  /** What went wrong, for a person; set unless we killed it. */
  detail?: string;
  exit?: number | null;
  signal?: number | null;
  /** Bounded tail of what it printed. */
  log: string;
  /** Named steps passed, in order. */
  stepsPassed?: string[];
  millis: number;
}

export interface SubjectCheck {
  /** `consistent` and `inconsistent` are what the checker said; `failed`: it could not say. */
  outcome: 'consistent' | 'inconsistent' | 'failed' | 'absent';
  /** Class of the inconsistency, where the checker knows it. */
  violation?: 'torn' | 'broken';
  /** The commit that the recovered data hold; null if not told. */
  state: number | null;
  reason: string;
  log: string;
  end: { exit: number | null; signal: number | null; stopped: 'time' | 'memory' | 'output' | null };
  millis: number;
  /** The crash that `plan` asked for fell. */
  killedByUs?: boolean;
  stepsPassed?: string[];
}

export interface Subject {
  /** Makes commit 0. With a plan of phase `create`, it is stopped in the middle. */
  setup(dir: string, seed: number, plan?: CrashPlan): Promise<SubjectRun>;
  /** Works until the plan's crash. */
  run(dir: string, seed: number, plan: CrashPlan): Promise<SubjectRun>;
  /** Recovers and checks; with a plan of phase `recover`, it is stopped in the middle. */
  check(dir: string, seed: number, acked: number, plan?: CrashPlan): Promise<SubjectCheck>;
  close(): Promise<void>;
}
