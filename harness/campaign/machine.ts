/** What a report must say of the machine for its figures to mean something. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import type { Engine } from './context.js';

/** @param engines some work where things are different */
export function machineFacts(engines: readonly Pick<Engine, 'facts'>[] = []): Record<string, string> {
  const cpus = os.cpus();
  return {
    kernel: `${os.type()} ${os.release()}`,
    distribution: distribution(),
    cpu: `${cpus[0]?.model.trim() ?? 'unknown'} × ${cpus.length}`,
    memory: `${Math.round(os.totalmem() / 1024 ** 3)} GiB`,
    node: process.version,
    user: process.getuid?.() === 0 ? 'root' : 'ordinary user',
    ...Object.fromEntries(engines.flatMap((engine) => Object.entries(engine.facts?.() ?? {}))),
  };
}

function distribution(): string {
  try {
    const release = readFileSync('/etc/os-release', 'utf8');
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(release)?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
