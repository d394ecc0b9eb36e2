/** Memory that this process may still take: what the machine has free, or what its control group leaves it, whichever is less. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** @param groups folder in which control groups are, and the text of /proc/self/cgroup */
export function freeMemory(
  machineFree = os.freemem(),
  groups = { folder: '/sys/fs/cgroup', own: read('/proc/self/cgroup') },
): number {
  const own = /^0::(\/.*)$/m.exec(groups.own)?.[1] ?? '/';
  const parts = own.split('/').filter((part) => part !== '');
  // A limit of a group holds for all below it. A container sees its own as the root, whatever the path says.
  const paths = parts.map((_, i) => path.join(groups.folder, ...parts.slice(0, i + 1)));
  return Math.max(0, Math.min(machineFree, ...[groups.folder, ...paths].map(leftIn)));
}

function leftIn(group: string): number {
  const limit = Number(read(path.join(group, 'memory.max')));
  if (!Number.isFinite(limit) || limit === 0) return Infinity; // `max`, or no such group
  const used = Number(read(path.join(group, 'memory.current')));
  // What is only a copy of files counts as used, but makes room when it must.
  const stat = read(path.join(group, 'memory.stat'));
  const cached = [...stat.matchAll(/^(?:in)?active_file (\d+)$/gm)].reduce(
    (sum, [, bytes]) => sum + Number(bytes),
    0,
  );
  return limit - used + cached;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
