import type { CrashPlan } from '../core/events.js';

/** How one set-up or one run of a target ended. */
export interface SubjectRun {
  /** The newest commit that was acknowledged before the end; -1: not even commit 0. */
  acked: number;
  /** Work was in flight when it was stopped: it was not just waiting for our answer. */
  begun: boolean;
  /** `crashed`: by a signal that was not ours, or by a limit on memory or processes. */
  end: 'killed-by-us' | 'exited' | 'crashed' | 'timeout' | 'protocol-error';
  /** What happened, in one sentence; always there unless killed by us or exited with 0. */
  detail?: string;
  exit?: number | null;
  signal?: number | null;
  /** The end of what it printed, bounded. */
  log: string;
  /** Names of steps passed, where the target knows steps. */
  stepsPassed?: string[];
  /** Processes that it left behind, or that left its process group; they were killed too. */
  leftovers?: LeftProcess[];
  /** Median time from our answer to the next commit, where two or more were seen. */
  commitMicros?: number;
  millis: number;
}

export interface LeftProcess {
  pid: number;
  name: string;
}

/** Why a phase was stopped before it ended by itself. */
export type Stopped = 'time' | 'memory' | 'output' | 'processes';

/** What recovery and verification said. */
export interface SubjectCheck {
  /** `failed`: it could not say (crash, hang, hunger, another exit status, nonsense). */
  /** `absent`: the target was never made, or its creation did not get that far. */
  outcome: 'consistent' | 'inconsistent' | 'failed' | 'absent';
  /** Class of the inconsistency, where the checker knows it. */
  violation?: 'torn' | 'broken';
  /** The commit that the recovered data hold; null if it was not told. */
  state: number | null;
  /** Why, in one sentence; empty if consistent. */
  reason: string;
  log: string;
  end: { exit: number | null; signal: number | null; stopped: Stopped | null };
  /** Names of steps passed, where the target knows steps. */
  stepsPassed?: string[];
  millis: number;
  /** Of a second recovery: the first difference that it made to the files; null: none; not there: not compared. */
  difference?: string | null;
  /** The file system could be mounted only after repair: what the kernel had said, and what repaired it. */
  repaired?: { refusal: string; by: string };
  /** The plan stopped it before it could say anything; `outcome` is then `failed` and means nothing. */
  killedByUs?: boolean;
  /** The checker itself is at fault (not found, or breaks the protocol), as far as can be told. */
  misuse?: boolean;
}

/** Bounds of one phase. */
export interface PhaseLimits {
  millis: number;
  memoryBytes: number;
  /** Bytes on stdout and stderr together. */
  outputBytes: number;
  processes: number;
}

export interface RunLimits extends PhaseLimits {
  /** Longest silence before a commit. */
  answerMillis: number;
  /** Stop, with nothing in flight, once this commit is acknowledged. */
  commits?: number;
  /** Called when a commit is acknowledged, before the answer goes out. */
  onCommit?: (commit: number) => void | Promise<void>;
}

/** A target as the trial sees it. Folders are the caller's; one subject may be used for several at once. */
export interface Subject {
  /** Makes commit 0 in an empty folder. */
  setup(dir: string, seed: number, plan?: CrashPlan): Promise<SubjectRun>;
  /** Works until the plan (or a limit) stops it. */
  run(dir: string, seed: number, plan?: CrashPlan, limits?: Partial<RunLimits>): Promise<SubjectRun>;
  /** Recovers and verifies. */
  check(dir: string, seed: number, acked: number, plan?: CrashPlan): Promise<SubjectCheck>;
  /** Ends all that still runs. */
  close(): Promise<void>;
}
