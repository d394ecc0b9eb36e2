/** Which processor each machine stays on. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const sampleMillis = 250;
/** Less than this share of the processors' time is in use where nothing else goes on. */
const quiet = 0.2;

/**
 * A processor for each of `count` machines, or null: not pinned. On an idle processor a machine is twice as fast, since its
 * processes hand over to each other all the time; beside somebody else's work it would wait for that at each of them.
 */
export async function cpusFor(count: number): Promise<(number | null)[]> {
  const cpus = allowedCpus();
  const before = os.cpus();
  await sleep(sampleMillis);
  return spread(count, cpus, busyShare(before, os.cpus()), process.pid);
}

/** @param start runs beside this one must not all begin with the same processor */
export function spread(
  count: number,
  cpus: readonly number[],
  busy: number,
  start: number,
): (number | null)[] {
  const pinned = busy <= quiet && count <= cpus.length;
  return Array.from({ length: count }, (_, i) => (pinned ? (cpus[(start + i) % cpus.length] ?? null) : null));
}

/** Share of all processors' time that was in use between two looks at them, 0 to 1. */
export function busyShare(before: readonly os.CpuInfo[], after: readonly os.CpuInfo[]): number {
  const [all, idle] = after.reduce(
    ([sum, idleSum], { times }, i) => {
      const then = before[i]?.times ?? times;
      const total = Object.entries(times).reduce(
        (t, [kind, value]) => t + value - then[kind as keyof typeof then],
        0,
      );
      return [sum + total, idleSum + times.idle - then.idle];
    },
    [0, 0],
  );
  return all === 0 ? 0 : 1 - idle / all;
}

/** Processors that this process may run on. */
export function allowedCpus(): number[] {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    return parseCpuList(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '');
  } catch {
    return [];
  }
}

/** `0-2,5` is 0, 1, 2, 5. */
export function parseCpuList(text: string): number[] {
  return text
    .split(',')
    .map((range) => /^(\d+)(?:-(\d+))?$/.exec(range.trim()))
    .filter((range) => range !== null)
    .flatMap(([, first = '0', last = first]) =>
      Array.from({ length: Math.max(0, Number(last) - Number(first) + 1) }, (_, i) => Number(first) + i),
    );
}
