/**
 * Where crash states come from: what exploration, minimizing and findings need of it, and no more. Rig `disk` mounts them
 * with the running kernel (`Presenter`); others may make them of another recording or under another kernel.
 */
import type { Stopped, SubjectCheck } from '../subjects/subject.js';

/** How the reason of a check begins where the state's file system could not be mounted. */
export const unmountable = 'the file system could not be mounted';

/** The check of a state that nothing could recover. */
export function unrecovered(reason: string, stopped: Stopped | null = null): SubjectCheck {
  const end = { exit: null, signal: null, stopped };
  return { outcome: 'failed', state: null, reason, log: '', end, millis: 0 };
}

export interface StateName {
  /** Number of the epoch in the trace. */
  epoch: number;
  /** See choicesText. */
  choices: string;
}

/**
 * What recovery and check read of a state before they overwrote it. Nothing that they never read can matter: a state that
 * holds the same in all of these blocks has the same outcome.
 */
export interface ReadSet {
  /** Of the blocks and what they held: equal over all sources of the recording where both are equal. */
  name: string;
  /** The blocks, as plugpull-disk writes them. */
  blocks: string;
}

export interface Look {
  digest: string;
  /** Names of learnt read-sets with which the state agrees. */
  agrees: readonly string[];
}

/** What a source offers that sees each request of the kernel to the disk. Not while a state is shown. */
export interface ReadWatch {
  /** Of the state checked last: null where not all of it was seen. */
  readonly last: ReadSet | null;
  /** As `digests`, and with what each state agrees. */
  look(epoch: number, choices: readonly string[]): Promise<Look[]>;
  /** From now on states that agree with this one are found. Also while a state is shown. */
  learn(set: ReadSet): Promise<void>;
  /**
   * Pending writes, by index, that are not among the choices and would change what the blocks of a read-set hold in this
   * state. Null if the read-set was forgotten: their number is bounded.
   */
  open(epoch: number, name: string, choices: string): Promise<number[] | null>;
}

/** How a state is checked, beyond once. */
export interface CheckOptions {
  /** Called with the target's folder before anything has recovered the target. */
  before?: (dir: string) => void;
  /** Where it is recovered twice, all files are read between and after, and what the second recovery changed is told. */
  sameBytes?: boolean;
}

/** What became of a state whose file system could not be mounted. */
export interface Repair {
  /** What was run, and what it said. */
  log: string;
  /** The check of the target, once the file system could be mounted; null: it never could. */
  check: SubjectCheck | null;
}

/** Makes crash states of one recording, one at a time, and lets them be checked. One for each worker. */
export interface StateSource {
  /** Null or not there: what the kernel reads is not seen. */
  readonly reads?: ReadWatch | null;
  /** Requests to write, discard or zero that the state checked last has caused; null where they are not seen. */
  readonly written?: number | null;
  /** Digests of the contents of states of one epoch: equal for equal contents, over all sources of the recording. */
  digests(epoch: number, choices: readonly string[]): Promise<string[]>;
  /**
   * Makes a state, checks it (`times` times, to see whether recovering again changes the outcome) and forgets it. A state
   * that cannot be mounted is one failed check. Rejects only for failures of our own.
   */
  check(state: StateName, acked: number, times?: number, options?: CheckOptions): Promise<SubjectCheck[]>;
  /** Does what a user would with a state that cannot be mounted, for the reason that is given. Null or not there: nothing can be done here. */
  repair?(state: StateName, acked: number, refusal: string): Promise<Repair | null>;
  /** The block device (`loop3`) on which states are shown; null or not there: not known. */
  readonly device?: string | null;
  /** Writes a state to a file, as a trace (see docs/disk.md): what a bundle holds. */
  save(state: StateName, file: string): Promise<void>;
  /** From here on nothing may depend on what was checked before. */
  refresh(): Promise<void>;
  /** Nothing stays mounted, attached or running. */
  close(): Promise<void>;
}
