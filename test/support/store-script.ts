/** Programs of three commands that tests write themselves, and what a run of plugpull with `--json` says. */
import { expect } from 'chai';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CliResult } from './cli.js';

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
