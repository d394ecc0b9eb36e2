/** Can this machine run guests? */
import { spawnSync } from 'node:child_process';

const versionMillis = 10_000;

interface Lack {
  reason: string;
  remedy: string;
}

let known: Lack | 'here' | null = null;

/** Why not, and what to do about it; null: it can. Looked for once. */
export function whyNoVm(): Lack | null {
  known ??= look();
  return known === 'here' ? null : known;
}

function look(): Lack | 'here' {
  const asked = spawnSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8', timeout: versionMillis });
  if (asked.status === 0) return 'here';
  return { reason: 'QEMU is not installed', remedy: 'apt-get install qemu-system-x86 qemu-utils' };
}
