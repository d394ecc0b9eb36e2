/**
 * What a forked child does: work on a heap until it is killed, or recover and check one.
 * Synchronous from the first line to the last; the event loop belongs to the zygote.
 */
import { writeSync } from 'node:fs';
import path from 'node:path';
import { native, type HeapOptions, type NativeHeap } from '../../native/index.js';
import { differenceFrom, implausible, isBroken } from '../../workloads/session.js';
import type { Workload, WorkloadSize } from '../../workloads/workload.js';
import type { CrashPlan } from '../core/events.js';
import type { CheckJob, RunJob, WorkerResult, WorkerTarget } from './job.js';

/** Descriptor of the pipe to the zygote in a forked child. */
const out = 1;

export function heapPath(dir: string): string {
  return path.join(dir, 'heap.db');
}

function emit(line: string): void {
  writeSync(out, `${line}\n`);
}

export function emitResult(result: WorkerResult): void {
  emit(`r ${JSON.stringify(result)}`);
}

export function sizeOf(workload: Workload, target: WorkerTarget): WorkloadSize {
  return target.input === undefined ? workload.size : { ...workload.size, input: target.input };
}

function optionsFor(workload: Workload, target: WorkerTarget, dir: string, seed: number): HeapOptions {
  return {
    backend: target.backend,
    path: heapPath(dir),
    layout: workload.layout,
    size: workload.size.heapBytes,
    identity: BigInt(seed),
    tracker: target.tracker ?? 'auto',
    background: target.background ?? false,
    fixedAddress: workload.fixedAddress ?? false,
    planted: target.planted,
    // A small log, so that every lap of it falls into a trial of a few commits.
    logBytes: 24 * 4096,
  };
}

/** Aims the crash of `plan`; called where its phase begins, or after its commit. */
function aim(plan: CrashPlan | null, phase: CrashPlan['phase'], commit: number): void {
  if (plan?.phase !== phase) return;
  if (plan.mode !== 'time') return;
  if (phase === 'run' && commit !== plan.afterCommit) return;
  native.killAfter(Math.max(1, plan.delayMicros ?? 0) * 1000);
}

function armSteps(plan: CrashPlan | null, phase: CrashPlan['phase']): void {
  const here = plan?.phase === phase && plan.mode === 'step' ? (plan.step ?? 0) : 0;
  native.armSteps(here);
}

/** Opens a heap in any of the layouts that the workload can read. */
function openAny(workload: Workload, options: HeapOptions): NativeHeap {
  try {
    return native.openHeap(options);
  } catch (error) {
    if ((error as { code?: string }).code !== 'HEAP_OTHER_LAYOUT') throw error;
    for (const layout of workload.otherLayouts ?? []) {
      try {
        return native.openHeap({ ...options, layout });
      } catch (next) {
        if ((next as { code?: string }).code !== 'HEAP_OTHER_LAYOUT') throw next;
      }
    }
    throw error;
  }
}

export function actRun(job: RunJob, workload: Workload): void {
  const { plan, target, seed } = job;
  const size = sizeOf(workload, target);
  const options = optionsFor(workload, target, job.dir, seed);
  let heap: NativeHeap;
  let commit = 0;
  native.traceStepsTo(out);
  if (job.create) {
    armSteps(plan, 'create');
    aim(plan, 'create', 0);
    heap = native.createHeap(options);
    workload.initialise(heap, seed, size);
    heap.commit();
    emit('c 0');
    if (plan?.phase === 'create') {
      // The moment drawn lay behind the end of the creation.
      emitResult({ outcome: 'done', state: 0, reason: 'the creation ended before its crash' });
      native.exitNow(0);
    }
  } else {
    heap = openAny(workload, options);
    commit = workload.read(heap, seed, size).commit;
  }
  armSteps(plan, 'run');
  emit('p run');
  aim(plan, 'run', commit);
  const session = workload.start(heap, seed, size);
  const last = commit + job.commits;
  while (commit < last) {
    const next = commit + 1;
    if (session.commit?.(next) !== true) {
      session.change(next);
      heap.commit();
    }
    commit = next;
    emit(`c ${commit}`);
    aim(plan, 'run', commit);
  }
  session.close?.();
  heap.close();
  emitResult({ outcome: 'done', state: commit, reason: 'all commits were done' });
}

export function actCheck(job: CheckJob, workload: Workload): void {
  const { plan, target, seed } = job;
  native.traceStepsTo(out);
  armSteps(plan, 'recover');
  aim(plan, 'recover', 0);
  emitResult(check(workload, target, job.dir, seed));
}

/** Recovers the heap in `dir` and compares its whole state with the model's. */
function check(workload: Workload, target: WorkerTarget, dir: string, seed: number): WorkerResult {
  const size = sizeOf(workload, target);
  let heap: NativeHeap;
  try {
    heap = openAny(workload, optionsFor(workload, target, dir, seed));
  } catch (error) {
    const reason = (error as Error).message;
    if ((error as { code?: string }).code === 'HEAP_ABSENT')
      return { outcome: 'absent', state: null, reason };
    return { outcome: 'failed', state: null, reason };
  }
  try {
    return compare(heap, workload, seed, size);
  } finally {
    heap.close();
  }
}

/** Judges an open heap: allocator, structure, and the whole state against the model. */
export function compare(
  heap: NativeHeap,
  workload: Workload,
  seed: number,
  size: WorkloadSize,
): WorkerResult {
  if (heap.root === 0)
    return { outcome: 'absent', state: null, reason: 'the heap was made but holds no data yet' };
  const allocator = heap.verify().problems;
  if (allocator.length > 0) return broken(null, `allocator: ${allocator.join('; ')}`);
  let seen;
  try {
    seen = workload.read(heap, seed, size);
  } catch (error) {
    if (isBroken(error)) return broken(null, error.message);
    throw error;
  }
  const garbage = implausible(heap, seen.commit);
  if (garbage !== null) return broken(null, garbage);
  const expected = workload.model(seed, size).stateAt(seen.commit);
  const difference = differenceFrom(workload, expected, seen.bytes);
  if (difference !== null) {
    return {
      outcome: 'inconsistent',
      violation: 'torn',
      state: seen.commit,
      reason: `the data say commit ${seen.commit}, but ${difference}`,
    };
  }
  const problems = heap.verify(seen.reachable).problems;
  if (problems.length > 0) return broken(seen.commit, `blocks: ${problems.join('; ')}`);
  return { outcome: 'consistent', state: seen.commit, reason: '' };
}

function broken(state: number | null, reason: string): WorkerResult {
  return { outcome: 'inconsistent', violation: 'broken', state, reason };
}
