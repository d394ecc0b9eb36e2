/** What is tortured. A target is data: it is written to the event log and to every finding. */
import type { TargetSummary } from './events.js';

export interface BackendTarget {
  kind: 'backend';
  id: string;
  backend: string;
  workload: string;
  /** A planted bug switched on in the backend or the heap. */
  planted?: string;
  /** The weakest fault that can show the planted bug. */
  shownBy?: 'kill' | 'cut' | 'error';
  expect: 'hold' | 'caught';
  tracker?: 'auto' | 'pagemap' | 'mprotect' | 'compare';
  /** A real file that the workload reads (text-index). */
  input?: string;
  /** The redo log is applied on a thread of its own. */
  background?: boolean;
  /** Module of a workload that is not ours. */
  workloadModule?: string;
  needsReflink: boolean;
  steps: string[];
}

/**
 * What a target promises after a crash: `durable`, that no acked commit is lost; `consistent`, only that the state is one of its
 * commits, so the newest may be gone.
 */
export const promises = ['durable', 'consistent'] as const;
export type DurabilityPromise = (typeof promises)[number];

export interface CommandLimits {
  /** Milliseconds that setup and check may take, and that run may go without a sign of life. */
  timeMs: number;
  memoryBytes: number;
}

export interface CommandTarget {
  kind: 'command';
  id: string;
  setup: string;
  run: string;
  check: string;
  /** Programs put first in $PATH. */
  with: string[];
  /** Files (globs, relative to the target's folder) that may differ between two recoveries. */
  ignore: string[];
  expect: 'hold' | 'caught';
  /** Must recovering twice leave the same bytes, or only the same verdict? */
  recoverTwice: 'bytes' | 'state';
  /** What it promises of acked commits; none given: `durable`. */
  promise?: DurabilityPromise;
  limits: CommandLimits;
}

export type Target = BackendTarget | CommandTarget;

export const defaultCommandLimits: CommandLimits = { timeMs: 30_000, memoryBytes: 2 * 1024 ** 3 };

/** A FAMS backend always promises that acked commits stay. */
export function promiseOf(target: Target): DurabilityPromise {
  return target.kind === 'command' ? (target.promise ?? 'durable') : 'durable';
}

/** Must recovering twice leave the same bytes? A FAMS backend promises it. */
export function promisesSameBytes(target: Target): boolean {
  return target.kind === 'backend' || target.recoverTwice === 'bytes';
}

export function backendTargetId(backend: string, workload: string, planted?: string): string {
  return `${backend}${planted === undefined ? '' : `+bug:${planted}`}/${workload}`;
}

export function summarize(target: Target, fault: TargetSummary['fault'], rig: string): TargetSummary {
  const common = { id: target.id, kind: target.kind, expect: target.expect, fault, rig };
  if (target.kind === 'command') return common;
  return {
    ...common,
    backend: target.backend,
    workload: target.workload,
    ...(target.planted === undefined ? {} : { planted: target.planted }),
    steps: target.steps,
  };
}
