/**
 * Where crash states come from: what exploration, minimizing and findings need of it, and no more. Rig `disk` mounts them
 * with the running kernel (`Presenter`); others may make them of another recording or under another kernel.
 */
import type { SubjectCheck } from '../subjects/subject.js';

/** How the reason of a check begins where the state's file system could not be mounted. */
export const unmountable = 'the file system could not be mounted';

export interface StateName {
  /** Number of the epoch in the trace. */
  epoch: number;
  /** See choicesText. */
  choices: string;
}

/** Makes crash states of one recording, one at a time, and lets them be checked. One for each worker. */
export interface StateSource {
  /** Digests of the contents of states of one epoch: equal for equal contents, over all sources of the recording. */
  digests(epoch: number, choices: readonly string[]): Promise<string[]>;
  /**
   * Makes a state, checks it (`times` times, to see whether recovering again changes the outcome) and forgets it. A state
   * that cannot be mounted is one failed check. `before` is called with the target's folder before anything has recovered
   * the target. Rejects only for failures of our own.
   */
  check(
    state: StateName,
    acked: number,
    times?: number,
    before?: (dir: string) => void,
  ): Promise<SubjectCheck[]>;
  /** Writes a state to a file, as a trace (see docs/disk.md): what a bundle holds. */
  save(state: StateName, file: string): Promise<void>;
  /** From here on nothing may depend on what was checked before. */
  refresh(): Promise<void>;
  /** Nothing stays mounted, attached or running. */
  close(): Promise<void>;
}
