/** Files of ours that a target needs on the machine: programs of `--with`, a text to read. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../core/errors.js';
import type { Target } from '../core/target.js';
import type { Session } from './machine.js';

/** What each session has been given, by the path there. */
const given = new WeakMap<Session, Set<string>>();
const putMillis = 5 * 60_000;

/** Puts the files of a target into `folder` there and gives the target with their paths there. */
export async function bringFiles(session: Session, target: Target, folder: string): Promise<Target> {
  if (target.kind === 'command') {
    const files: string[] = [];
    for (const [number, file] of target.with.entries()) {
      files.push(await bring(session, file, path.posix.join(folder, `${target.id}-${number}`), 0o755));
    }
    return { ...target, with: files };
  }
  if (target.input === undefined) return target;
  return { ...target, input: await bring(session, target.input, path.posix.join(folder, 'input'), 0o644) };
}

async function bring(session: Session, file: string, folder: string, mode: number): Promise<string> {
  const there = path.posix.join(folder, path.basename(file));
  const known = given.get(session) ?? new Set();
  given.set(session, known);
  if (known.has(there)) return there;
  let data: Buffer;
  try {
    data = readFileSync(file);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`);
  }
  await session.agent.call('makeFolder', { path: folder });
  await session.agent.putFile(there, mode, data, { timeoutMillis: putMillis });
  known.add(there);
  return there;
}
