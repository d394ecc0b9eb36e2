/** What a campaign of power-offs tries, and in which order. */
import type { CrashPlan } from '../core/events.js';
import { random } from '../core/seed.js';
import type { Target } from '../core/target.js';
import { settingLabel, type PowerOffMode } from './modes.js';

export interface PowerOffJob {
  target: Target;
  /** As of --fs and --kernel. */
  fs: string;
  kernel: string;
}

/** What the run's events call the place of a job. */
export function labelOf({ fs, kernel }: PowerOffJob, mode: PowerOffMode): string {
  return settingLabel({ fs, kernel, mode });
}

/** A target that should hold and a control in turn, in one setting after the other, so that a short run has both. */
export function orderJobs(
  targets: readonly Target[],
  kernels: readonly string[],
  fileSystems: readonly string[],
): PowerOffJob[] {
  const hold = targets.filter(({ expect }) => expect === 'hold');
  const caught = targets.filter(({ expect }) => expect === 'caught');
  const pairs = Array.from({ length: Math.max(hold.length, caught.length) }, (_, i) =>
    [hold[i], caught[i]].filter((target) => target !== undefined),
  );
  return pairs.flatMap((pair) =>
    kernels.flatMap((kernel) => fileSystems.flatMap((fs) => pair.map((target) => ({ target, fs, kernel })))),
  );
}

/** Why a target cannot be tried there; null: it can. */
export function whyNotThere({ target, fs }: PowerOffJob): { reason: string; remedy: string } | null {
  if (target.kind === 'command') return null;
  const [type] = fs.split(':');
  if (target.needsReflink && (type === 'ext4' || type === 'f2fs')) {
    return { reason: `${type} cannot clone files`, remedy: 'try it on xfs or btrfs' };
  }
  if (target.workloadModule !== undefined) {
    return { reason: 'a workload of your own is not in the guest', remedy: 'use rig disk or model for it' };
  }
  return null;
}

/** Shares of cuts, in per cent: during the creation of a heap, and at a named step. */
const inCreation = 10;
const atStep = 25;
const stepsAimedAt = 80;
/** Commits of a program among which the moment of a cut is drawn. */
const commitsBefore = 3;
/** A step that never comes is waited for so long, in multiples of the time of work. */
const patience = 6;

/** A cut drawn from the seed of a trial, `workMillis` after commit 0 (or after the start of the creation) on the average. */
export function drawCut(seed: number, target: Target, workMillis: number): CrashPlan {
  const draw = random(seed);
  const delayMicros = draw.int(1, 2 * workMillis * 1000);
  if (target.kind === 'backend' && draw.int(1, 100) <= inCreation) {
    return { mode: 'time', phase: 'create', delayMicros };
  }
  // Threads of their own pass their steps in another order each time.
  const named = target.kind === 'backend' && target.workload !== 'threads' && target.background !== true;
  if (named && draw.int(1, 100) <= atStep) {
    const step = draw.int(1, stepsAimedAt);
    return { mode: 'step', phase: 'run', step, delayMicros: patience * workMillis * 1000 };
  }
  // A program takes its time to the first commit.
  const afterCommit = target.kind === 'command' ? draw.int(0, commitsBefore) : 0;
  return { mode: 'time', phase: 'run', afterCommit, delayMicros };
}
