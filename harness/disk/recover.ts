/** Recovers and checks a target in a mounted file system, once or twice. */
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { native } from '../../native/index.js';
import { filesEqual } from '../rigs/compare.js';
import type { SubjectCheck } from '../subjects/subject.js';
import type { Checker } from './checker.js';

export interface RecoverOptions {
  times: number;
  /** Tell what the second recovery changed. */
  sameBytes: boolean;
  /** Files that may differ. */
  ignore: ((file: string) => boolean) | null;
  /** An existing folder for a copy, not in that file system. */
  folder: string;
}

export async function recover(
  checker: Checker,
  dir: string,
  acked: number,
  { times, sameBytes, ignore, folder }: RecoverOptions,
): Promise<SubjectCheck[]> {
  const copy = path.join(folder, 'recovered-once');
  const checks: SubjectCheck[] = [];
  try {
    for (let i = 0; i < times; i++) {
      const compares = sameBytes && i > 0 && checks[0]?.outcome !== 'failed';
      if (compares) unlessUnreadable(() => native.copyFolder(dir, copy));
      const check = await checker.check(dir, acked);
      const difference =
        compares && existsSync(copy) ? unlessUnreadable(() => filesEqual(copy, dir, ignore)) : undefined;
      checks.push(difference === undefined ? check : { ...check, difference });
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  return checks;
}

const noSpace = /ENOSPC|No space left/;

/** Undefined where the state cannot be read: to find that is what the check is for. */
function unlessUnreadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (noSpace.test(String(error))) throw error;
    return undefined;
  }
}
