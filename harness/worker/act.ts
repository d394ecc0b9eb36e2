/**
 * What a forked child does: work on a heap until it is killed, or recover and check one.
 * Synchronous from the first line to the last; the event loop belongs to the zygote.
 */
import { openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { native, type NativeHeap } from '../../native/index.js';
import {
  createHeapFor,
  differenceFrom,
  implausible,
  openHeapFor,
  readAndVerify,
  type SessionOptions,
} from '../../workloads/session.js';
import type { Workload, WorkloadModel, WorkloadSize } from '../../workloads/workload.js';
import type { CrashPlan } from '../core/events.js';
import type { CheckJob, MarkPlaces, RunJob, WorkerResult, WorkerTarget } from './job.js';

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

function optionsFor(target: WorkerTarget, dir: string, seed: number): SessionOptions {
  return {
    backend: target.backend,
    path: heapPath(dir),
    identity: BigInt(seed),
    tracker: target.tracker ?? 'auto',
    background: target.background ?? false,
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

function armSteps(plan: CrashPlan | null, phase: CrashPlan['phase'], halt = false): void {
  const here = plan?.phase === phase && plan.mode === 'step' ? (plan.step ?? 0) : 0;
  native.armSteps(here, halt);
}

/** Says what the work does where it is told to: the result marks, and goes on when the mark is out and let through. */
function markerFor(places: MarkPlaces | undefined): ((text: string) => void) | null {
  if (places === undefined) return null;
  const { port, disk, gate, steps } = places;
  native.openMarks({ ...(port === undefined ? {} : { port }), ...disk });
  if (steps) native.markSteps(true);
  const pass = gate === undefined ? null : openSync(gate, 'r+');
  return (text) => {
    native.mark(text);
    if (pass !== null && readSync(pass, Buffer.alloc(1)) === 0) throw new Error('nobody lets the work go on');
  };
}

export function actRun(job: RunJob, workload: Workload): void {
  const { plan, target, seed } = job;
  const size = sizeOf(workload, target);
  const options = optionsFor(target, job.dir, seed);
  let heap: NativeHeap;
  let commit = 0;
  const marks = job.marks === undefined ? null : openSync(job.marks, 'w');
  const mark = markerFor(job.places);
  const halt = mark !== null;
  const acked = (k: number): void => {
    if (marks !== null) writeSync(marks, `ack ${k}`);
    mark?.(`ack ${k}`);
    emit(`c ${k}`);
  };
  native.traceStepsTo(marks ?? out);
  mark?.('begin');
  if (job.create) {
    armSteps(plan, 'create', halt);
    aim(plan, 'create', 0);
    heap = createHeapFor(workload, options, seed, size);
    acked(0);
    if (plan?.phase === 'create') {
      // The moment drawn lay behind the end of the creation.
      emitResult({ outcome: 'done', state: 0, reason: 'the creation ended before its crash' });
      native.exitNow(0);
    }
  } else {
    const found = openHeapFor(workload, options, size);
    if (found === null) throw new Error(`there is no heap in ${job.dir} to go on with`);
    heap = found;
    commit = workload.read(heap, seed, size).commit;
  }
  armSteps(plan, 'run', halt);
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
    acked(commit);
    aim(plan, 'run', commit);
  }
  mark?.(`done ${commit}`);
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

/** Recovers the heap in `dir` and judges it. */
export function check(workload: Workload, target: WorkerTarget, dir: string, seed: number): WorkerResult {
  const size = sizeOf(workload, target);
  let heap: NativeHeap | null;
  try {
    heap = openHeapFor(workload, optionsFor(target, dir, seed), size);
  } catch (error) {
    return { outcome: 'failed', state: null, reason: (error as Error).message };
  }
  if (heap === null) return { outcome: 'absent', state: null, reason: 'there is no heap, or none with data' };
  try {
    return compare(heap, workload, seed, size);
  } finally {
    heap.close();
  }
}

/** Judges an open heap: allocator, structure, and the whole state against the model's. */
export function compare(
  heap: NativeHeap,
  workload: Workload,
  seed: number,
  size: WorkloadSize,
  model: WorkloadModel = workload.model(seed, size),
): WorkerResult {
  const { commit, bytes, problems } = readAndVerify(heap, workload, seed, size);
  if (commit === null || bytes === null) return broken(null, problems.join('; '));
  const garbage = implausible(heap, commit);
  if (garbage !== null) return broken(null, garbage);
  const difference = differenceFrom(workload, model.stateAt(commit), bytes);
  if (difference !== null) {
    return {
      outcome: 'inconsistent',
      violation: 'torn',
      state: commit,
      reason: `the data say commit ${commit}, but ${difference}`,
    };
  }
  if (problems.length > 0) return broken(commit, problems.join('; '));
  return { outcome: 'consistent', state: commit, reason: '' };
}

function broken(state: number | null, reason: string): WorkerResult {
  return { outcome: 'inconsistent', violation: 'broken', state, reason };
}
