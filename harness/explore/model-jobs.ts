/** Recording and exploring runs over the storage model, in child processes of a zygote. */
import { deriveSeed } from '../core/seed.js';
import type { BackendTarget } from '../core/target.js';
import { workerTarget } from '../subjects/builtin.js';
import type { Zygote } from '../subjects/zygote.js';
import type { ExploreJob, ExploreResult } from '../worker/job.js';

export interface ModelOptions {
  /** Promises of the file system, by name. */
  profile: string;
  /** Commits in the recorded run. */
  commits: number;
  /** Crash states of one run to visit at most. */
  maxStates: number;
  /** Cuts again during recovery, so many times. */
  nested: number;
  memoryBytes: number;
  stopAtFirst: boolean;
}

/** As `maxStates`: more states than any run has that fits in memory. */
export const unbounded = Number.MAX_SAFE_INTEGER;

export const defaultModelOptions: ModelOptions = {
  profile: 'posix',
  commits: 6,
  maxStates: 20_000,
  nested: 1,
  memoryBytes: 256 * 1024 ** 2,
  stopAtFirst: false,
};

/** Crash states at most at one place of a recovery: a sample, or all where all states of the run are wanted too. */
const nestedSample = 64;
const nestedAll = 100_000;
const timeMs = 300_000;
const outputBytes = 64 * 1024 ** 2;

/** The seed of the `round`-th recorded run of a target. */
export function modelSeed(
  campaignSeed: number,
  target: BackendTarget,
  profile: string,
  round: number,
): number {
  return deriveSeed(campaignSeed, 'model', target.id, profile, round);
}

/** Why a program that is not ours is left out. */
export const notInModel = {
  reason: 'a program of its own cannot enter the storage model',
  remedy: 'its power cuts are explored by --rig disk',
};

export type ModelOutcome =
  { ok: true; result: ExploreResult } | { ok: false; violation: boolean; reason: string };

/** Explores one run, or with `replay` visits one state of it. */
export async function exploreRun(
  zygote: Zygote,
  target: BackendTarget,
  seed: number,
  options: ModelOptions,
  replay?: string,
): Promise<ModelOutcome> {
  const job: ExploreJob = {
    op: 'explore',
    target: workerTarget(target),
    seed,
    commits: options.commits,
    profile: options.profile,
    maxStates: options.maxStates,
    nested: options.nested,
    nestedStates: options.maxStates === unbounded ? nestedAll : nestedSample,
    stopAtFirst: options.stopAtFirst,
    memoryBytes: options.memoryBytes,
    ...(replay === undefined ? {} : { replay }),
    limits: { timeMs, rssBytes: options.memoryBytes + 768 * 1024 ** 2, outputBytes },
  };
  const answer = await zygote.run(job);
  if (answer.explored !== undefined) return { ok: true, result: answer.explored };
  const { signal, stopped } = answer.end;
  if (stopped !== null) {
    return {
      ok: false,
      violation: false,
      reason: `the exploration was stopped: it used too much ${stopped}`,
    };
  }
  // A recovery or check that dies is a verdict about the target, not about us.
  if (signal !== null)
    return { ok: false, violation: true, reason: `recovery or check died by signal ${signal}` };
  return { ok: false, violation: false, reason: answer.result?.reason ?? 'the exploration gave no result' };
}
