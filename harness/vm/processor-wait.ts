/** Had a process a processor to run on? Emulated guests on a busy machine look as if they hung. */
import { readdirSync, readFileSync } from 'node:fs';

/** A thread that waits for a processor for this part of the time gets nothing done in time. */
const starvedShare = 0.6;

/** Milliseconds for which the thread that waited longest was ready to run and did not; null where the kernel does not say. */
export function waitedMillis(pid: number): number | null {
  try {
    const waits = readdirSync(`/proc/${pid}/task`).map((task) => {
      const [, waited = ''] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
      return Number(waited) / 1e6;
    });
    const longest = Math.max(...waits);
    return Number.isFinite(longest) ? longest : null;
  } catch {
    return null; // it is gone, or the kernel has no such statistics
  }
}

/** Begins to watch; what it gives says whether the process mostly waited since, with the share of the time. */
export function watchProcessor(
  pid: number,
  waited: (pid: number) => number | null = waitedMillis,
  now: () => number = () => performance.now(),
): () => { starved: boolean; share: number } {
  const before = waited(pid);
  const since = now();
  return () => {
    const after = waited(pid);
    if (before === null || after === null) return { starved: false, share: 0 };
    const share = (after - before) / Math.max(1, now() - since);
    return { starved: share >= starvedShare, share };
  };
}
