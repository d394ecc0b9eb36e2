/** Command lines that a reader can paste. */
import path from 'node:path';
import { programName } from '../core/program-name.js';
import { shellWord, shellWords } from '../core/shell-word.js';
import type { RunRecord } from '../store/findings.js';

/** The command that is running, and more flags. */
export function sameCommandWith(flags: readonly string[]): string {
  const argv = process.argv.slice(2);
  const out = argv.indexOf('--out');
  // A run directory holds one run.
  const kept = out < 0 ? argv : argv.toSpliced(out, 2);
  return shellWords([programName(), ...kept, ...flags]);
}

const withValue = ['--out', '--seed', '--junit', '--html', '--markdown'];
const alone = ['--json', '--quiet', '--github'];

/** The command that makes the same campaign again, in the folder where it ran, into a run directory of its own. */
export function recordAnew({ argv, seed, cwd }: RunRecord, here = process.env.PWD ?? process.cwd()): string {
  const kept: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (withValue.includes(word)) i++;
    else if (!alone.includes(word) && !withValue.some((flag) => word.startsWith(`${flag}=`))) kept.push(word);
  }
  const program = programName(process.env.PATH ?? '', cwd);
  const there = path.relative(here, cwd) === '' ? '' : `cd ${shellWord(cwd)} && `;
  return there + shellWords([program, ...kept, '--seed', String(seed)]);
}
