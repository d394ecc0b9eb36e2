/**
 * What the controller and its guest in user-mode Linux say to each other, by files in one folder that both see: the
 * controller puts `job-N.json` there, and `stop` to end the job under way soon; the guest appends lines to `answers.jsonl`.
 */
import type { DiskOptions } from '../campaign/disk-engine.js';
import type { NewFinding, Shard } from '../campaign/context.js';
import type { RunEvent } from '../core/events.js';
import type { Target } from '../core/target.js';
import type { FileSystem } from '../disk/file-systems.js';
import type { StateName } from '../disk/state-source.js';
import type { Judgement } from '../oracle/judge.js';

/** What the guest is told before its first job. */
export interface Boot {
  cwd: string;
  env: Record<string, string>;
  /** Folder in the guest's memory. */
  work: string;
}

export interface ExploreJob {
  kind: 'explore';
  target: Target;
  /** `fileSystems` holds one. */
  options: DiskOptions;
  seed: number;
  shard: Shard;
  /** Number of the target on this file system in the campaign. */
  index: number;
  millis: number | null;
  states: number | null;
}

export interface ReplayJob {
  kind: 'replay';
  /** The bundle. */
  file: string;
}

/** What was being explored when a kernel crashed. */
export interface Shown {
  target: Target;
  seed: number;
  /** Bytes at which writes are torn. */
  unit: number;
  fs: FileSystem;
  /** Copies in the folder of the machine that crashed. */
  base: string;
  trace: string;
}

/** The state that a source was showing: written before, taken back after. */
export interface Showing extends Shown {
  state: StateName;
  acked: number;
  /** So often it was to be recovered. */
  times: number;
}

/** Makes a bundle of the state, and shows it as it was shown. */
export interface ConfirmJob extends Showing {
  kind: 'confirm';
}

export type Job = ExploreJob | ReplayJob | ConfirmJob;

export type Answer =
  /** The guest is up. */
  | { type: 'ready' }
  /** Twice a second: it is alive. */
  | { type: 'alive' }
  | { type: 'event'; event: RunEvent }
  /** Its files lie in the folder. */
  | { type: 'finding'; finding: NewFinding }
  | { type: 'judged'; judgement: Judgement }
  /** The bundle of a state that is about to be shown. */
  | { type: 'saved'; bundle: string }
  /** The end of a job. */
  | { type: 'done' }
  | { type: 'failed'; message: string; exitCode: number; remedy?: string };

export const bootFile = 'boot.json';
export const answersFile = 'answers.jsonl';
export const stopFile = 'stop';
export const initFile = 'init.sh';
/** Folder of what is being explored, and in it one file for each source. */
export const shownFolder = 'shown';

export function showingFile(source: number): string {
  return `showing-${source}`;
}

export function jobFile(number: number): string {
  return `job-${number}.json`;
}
