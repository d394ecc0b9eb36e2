/**
 * Does a little of everything in the zygote itself, so that its children find code compiled and pages read: in a guest,
 * where all is emulated, the first commit is four times quicker for it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { native } from '../../native/index.js';
import { workloads } from '../../workloads/registry.js';
import { createHeapFor, runCommits } from '../../workloads/session.js';
import type { Workload } from '../../workloads/workload.js';
import { check, heapPath, sizeOf } from './act.js';
import type { WorkerTarget } from './job.js';

const seed = 1;
const commits = 3;

export function warmUp(): void {
  for (const workload of workloads) tryOut({ backend: 'redo', workload: workload.name }, workload);
  const first = workloads[0];
  if (first === undefined) return;
  for (const { name } of native.backends()) tryOut({ backend: name, workload: first.name }, first);
}

function tryOut(wanted: WorkerTarget, workload: Workload): void {
  // Notices changes without the kernel's help, which would have to be undone in a process that forks.
  const target: WorkerTarget = { ...wanted, tracker: 'compare' };
  const dir = mkdtempSync(path.join(tmpdir(), 'plugpull-warm-'));
  try {
    const size = sizeOf(workload, target);
    workload.prepare?.(size);
    const options = {
      backend: target.backend,
      path: heapPath(dir),
      identity: BigInt(seed),
      tracker: 'compare',
    } as const;
    const heap = createHeapFor(workload, options, seed, size);
    try {
      // Threads in a process that forks are not for us.
      if (workload.name !== 'threads') runCommits(heap, workload, seed, size, 1, commits);
    } finally {
      heap.close();
    }
    check(workload, target, dir, seed);
  } catch {
    // What does not work here is told when it is asked for.
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
