/** The targets of a campaign from what was asked for, by name, with errors that say what there is. */
import path from 'node:path';
import { native, type BackendInfo, type PlantedBugInfo } from '../../native/index.js';
import { isWorkloadPath, workloadByName, workloads } from '../../workloads/registry.js';
import type { Workload } from '../../workloads/workload.js';
import { UsageError } from '../core/errors.js';
import { backendTargetId, type BackendTarget } from '../core/target.js';

export interface BackendSelection {
  /** Names, or empty for all. */
  backends: string[];
  workloads: string[];
  /** Planted bugs to switch on, each in targets of its own. */
  planted: string[];
  tracker?: BackendTarget['tracker'];
  input?: string;
  /** Add the negative control and a sample of planted bugs. */
  controls: boolean;
}

/** Planted bugs that every default run must catch, so that a broken harness cannot report green. */
const canaryCount = 3;

export function backendTargets(selection: BackendSelection): BackendTarget[] {
  const backends = pick('backend', selection.backends, native.backends());
  const { loads, modules } = pickWorkloads(selection.workloads);
  const moduleOf = (workload: string): { workloadModule?: string } => {
    const workloadModule = modules.get(workload);
    return workloadModule === undefined ? {} : { workloadModule };
  };
  const make = (backend: BackendInfo, workload: string, planted?: string): BackendTarget => ({
    kind: 'backend',
    id: backendTargetId(backend.name, workload, planted),
    backend: backend.name,
    workload,
    ...moduleOf(workload),
    ...(planted === undefined ? {} : { planted, shownBy: bugNamed(planted).seenBy }),
    expect: backend.failureAtomic && planted === undefined ? 'hold' : 'caught',
    ...(selection.tracker === undefined ? {} : { tracker: selection.tracker }),
    ...(selection.input === undefined ? {} : { input: selection.input }),
    ...(workload === 'threads' ? { background: true } : {}),
    needsReflink: backend.needsReflink,
    steps: backend.steps,
  });
  if (selection.planted.length > 0) {
    return selection.planted.flatMap((name) => {
      const bug = bugNamed(name);
      const right = backends.filter((backend) => backend.failureAtomic);
      const broken =
        bug.subject !== 'heap'
          ? native.backends().filter((backend) => backend.name === bug.subject)
          : selection.backends.length > 0
            ? right
            : right.slice(0, 1); // the heap is the same over all
      const under = selection.workloads.length > 0 ? loads.map((load) => load.name) : [bug.workload];
      return broken.flatMap((backend) => under.map((workload) => make(backend, workload, name)));
    });
  }
  const right = backends.filter((backend) => backend.failureAtomic);
  const wrong = backends.filter((backend) => !backend.failureAtomic);
  const targets = loads.flatMap((load) => right.map((backend) => make(backend, load.name)));
  const named = selection.backends.length > 0;
  if (selection.controls || named)
    targets.push(...wrong.flatMap((b) => loads.map((load) => make(b, load.name))));
  if (selection.controls) targets.push(...canaries(backends, make));
  return targets;
}

/** For each of the first backends, one planted bug that a kill can show, and one that only a power cut can. */
function canaries(
  backends: BackendInfo[],
  make: (backend: BackendInfo, workload: string, planted: string) => BackendTarget,
): BackendTarget[] {
  return (['kill', 'cut'] as const).flatMap((fault) =>
    backends
      .flatMap((backend) => {
        const bug = native.plantedBugs().find((b) => b.subject === backend.name && b.seenBy === fault);
        return bug === undefined || backend.needsReflink ? [] : [make(backend, bug.workload, bug.name)];
      })
      .slice(0, canaryCount),
  );
}

function bugNamed(name: string): PlantedBugInfo {
  const [bug] = pick('planted bug', [name], native.plantedBugs());
  if (bug === undefined) throw new Error(`no planted bug ${name}`);
  return bug;
}

/** Workloads by name, or by the path of a module that was loaded before. */
function pickWorkloads(wanted: string[]): { loads: readonly Workload[]; modules: Map<string, string> } {
  const modules = new Map<string, string>();
  if (wanted.length === 0) return { loads: workloads, modules };
  const loads = wanted.map((nameOrPath) => {
    const [found] = isWorkloadPath(nameOrPath)
      ? [workloadByName(nameOrPath)]
      : pick('workload', [nameOrPath], workloads);
    if (found === undefined) throw new UsageError(`the workload module ${nameOrPath} is not loaded`);
    if (!workloads.includes(found)) modules.set(found.name, path.resolve(nameOrPath));
    return found;
  });
  return { loads, modules };
}

function pick<T extends { name: string }>(kind: string, wanted: string[], all: readonly T[]): T[] {
  if (wanted.length === 0) return [...all];
  return wanted.map((name) => {
    const found = all.find((one) => one.name === name);
    if (found !== undefined) return found;
    throw new UsageError(
      `there is no ${kind} "${name}"`,
      `there are: ${all.map((one) => one.name).join(', ')}`,
    );
  });
}
