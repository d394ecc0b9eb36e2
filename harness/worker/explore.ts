/**
 * A child that records a run of a workload over the storage model and explores the crash states that a power cut could
 * have left: recovers each, judges it by the same oracle as every other trial, and makes what it finds small.
 */
import { writeSync } from 'node:fs';
import { native, type ModelCheck, type NativeHeap, type NativeModel } from '../../native/index.js';
import { createHeapFor, openHeapFor, runCommits, type SessionOptions } from '../../workloads/session.js';
import type { Workload, WorkloadModel, WorkloadSize } from '../../workloads/workload.js';
import { isViolation, verdicts, type Verdict } from '../core/verdict.js';
import { judge, type Judgement } from '../oracle/judge.js';
import { compare, sizeOf } from './act.js';
import type { ExploredFinding, ExploreJob, ExploreResult, WorkerResult } from './job.js';

/** Descriptor of the pipe to the zygote in a forked child. */
const out = 1;
/** Files of the model; nothing else is there. */
const heapFile = '/data/heap.db';
/** Nothing is changed after recovery, and this way of noticing it costs least to set up. */
const checkTracker = 'mprotect';
const minimizeTries = 3000;
/** Violations that are made small and reported; more of the same kinds teach nothing. */
const mostFindings = 4;
const shownOperations = 40;

export function actExplore(job: ExploreJob, workload: Workload): void {
  writeSync(out, `x ${JSON.stringify(explore(job, workload))}\n`);
}

/** Checks crash states of one recorded run. */
class Checker {
  /** What the last state was judged to be. */
  last: Judgement = { verdict: 'held', recovered: null };
  private readonly expected: WorkloadModel;

  constructor(
    private readonly model: NativeModel,
    private readonly workload: Workload,
    private readonly options: SessionOptions,
    private readonly seed: number,
    private readonly size: WorkloadSize,
  ) {
    this.expected = workload.model(seed, size);
  }

  readonly check: ModelCheck = (acked) => {
    const first = this.recover();
    this.last = judge({ acked, crash: 'in-flight', first });
    if (first.outcome === 'consistent' && first.state !== null) this.model.recovered(first.state);
    return verdicts.indexOf(this.last.verdict);
  };

  private recover(): WorkerResult & { outcome: 'consistent' | 'inconsistent' | 'failed' | 'absent' } {
    let heap: NativeHeap | null;
    try {
      heap = openHeapFor(
        this.workload,
        { ...this.options, tracker: checkTracker, storage: this.model.crashed },
        this.size,
      );
    } catch (error) {
      return { outcome: 'failed', state: null, reason: (error as Error).message };
    }
    if (heap === null)
      return { outcome: 'absent', state: null, reason: 'there is no heap, or none with data' };
    try {
      const found = compare(heap, this.workload, this.seed, this.size, this.expected);
      return { ...found, outcome: found.outcome === 'done' ? 'failed' : found.outcome };
    } finally {
      heap.close();
    }
  }
}

function explore(job: ExploreJob, workload: Workload): ExploreResult {
  const { target, seed } = job;
  const size = sizeOf(workload, target);
  const started = performance.now();
  const model = native.model({ profile: job.profile });
  const options: SessionOptions = {
    backend: target.backend,
    path: heapFile,
    identity: BigInt(seed),
    // Nothing here is large enough for the kernel's help to be worth its system calls.
    tracker: 'compare',
    planted: target.planted,
    logBytes: 24 * 4096,
  };
  record(model, workload, options, job, size);
  const { maxStates, nested, nestedStates, stopAtFirst, memoryBytes } = job;
  // A kill first, then recovery, then the cut: what recovery showed must have been made durable by it.
  model.finish({ seed, maxStates, nested, nestedStates, killFirst: true, stopAtFirst, memoryBytes });
  const recorded = performance.now();
  const checker = new Checker(model, workload, options, seed, size);
  if (job.replay !== undefined) return replayed(job.replay, model, checker, started);

  const found = model.explore(checker.check, () => false);
  const explored = performance.now();
  const findings = oneOfEachClass(found.violations).map(({ path }) => small(model, checker, path));
  return {
    states: found.states,
    of: Number.isFinite(found.of) ? found.of : null,
    exhaustive: found.exhaustive,
    nested: found.nested,
    counts: Object.fromEntries(
      Object.entries(found.verdicts).map(([code, count]) => [verdictOf(Number(code)), count]),
    ),
    steps: found.steps,
    operations: model.operations,
    hash: model.hash,
    findings,
    millis: {
      record: recorded - started,
      explore: explored - recorded,
      minimize: performance.now() - explored,
    },
  };
}

function record(
  model: NativeModel,
  workload: Workload,
  options: SessionOptions,
  { seed, commits }: ExploreJob,
  size: WorkloadSize,
): void {
  const heap = createHeapFor(workload, { ...options, storage: model.storage }, seed, size);
  model.ack(0);
  try {
    runCommits(heap, workload, seed, size, 1, commits, (k) => model.ack(k));
  } finally {
    heap.close();
  }
}

function replayed(path: string, model: NativeModel, checker: Checker, started: number): ExploreResult {
  const verdict = verdictOf(model.replay(path, checker.check));
  return {
    states: 1,
    of: null,
    exhaustive: false,
    nested: 0,
    counts: { [verdict]: 1 },
    steps: {},
    operations: model.operations,
    hash: model.hash,
    findings: isViolation(verdict) ? [small(model, checker, path)] : [],
    millis: { record: 0, explore: performance.now() - started, minimize: 0 },
  };
}

function oneOfEachClass<T extends { verdict: number }>(violations: T[]): T[] {
  const first = new Map<number, T>();
  for (const violation of violations)
    if (!first.has(violation.verdict)) first.set(violation.verdict, violation);
  return [...first.values()].slice(0, mostFindings);
}

/** Makes a violation small, and tells it. */
function small(model: NativeModel, checker: Checker, path: string): ExploredFinding {
  const minimized = model.minimize(path, checker.check, minimizeTries);
  const chosen = minimized.reproduced ? minimized.path : path;
  const verdict = verdictOf(model.replay(chosen, checker.check));
  const judgement = checker.last;
  const from = Math.max(0, minimized.point - shownOperations);
  return {
    verdict: isViolation(verdict) ? verdict : 'broken',
    acked: minimized.acked,
    recovered: judgement.recovered,
    reason: judgement.reason ?? verdict,
    path: chosen,
    point: minimized.point,
    tries: minimized.tries,
    changes: minimized.changes,
    operations: model.slice(from, minimized.point),
    firstOperation: from + 1,
  };
}

function verdictOf(code: number): Verdict {
  const verdict = verdicts[code];
  if (verdict === undefined) throw new Error(`no verdict has the number ${code}`);
  return verdict;
}
