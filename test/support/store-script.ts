/** Programs of three commands that tests write themselves, and what a run of plugpull with `--json` says. */
import { expect } from 'chai';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { plugpull, type CliResult } from './cli.js';

/** The one object that `--json` prints. */
export function answerOf(result: CliResult): unknown {
  expect(result.stdout, result.stderr).to.not.equal('');
  return JSON.parse(result.stdout);
}

/** Writes `store.sh` into the folder; gives the flags that name its commands, each with a further word. */
export function storeScript(folder: string, script: string, word: string): string[] {
  const file = path.join(folder, 'store.sh');
  writeFileSync(file, script);
  chmodSync(file, 0o755);
  return ['setup', 'run', 'check'].flatMap((name) => [`--${name}`, `${file} ${name} ${word}`]);
}

export interface CutAnswer {
  verdict: string;
  findings: { fs: string; explanation: string }[];
}

/** Cuts the power of a program on recorded disks, after a few commits; the run is left in the folder `run`. */
export async function cutOnDisk(
  folder: string,
  commands: string[],
  { fs, states }: { fs: string; states: number },
): Promise<CutAnswer> {
  const rig = ['--fault', 'cut', '--rig', 'disk', '--fs', fs, '--commits', '6', '--states', String(states)];
  const out = path.join(folder, 'run');
  const args = ['run', ...commands, ...rig, '--seed', '3', '--json', '--out', out];
  return answerOf(await plugpull(args, folder)) as CutAnswer;
}

export const told = ({ findings }: CutAnswer): string =>
  findings.map(({ explanation }) => explanation).join('\n');
