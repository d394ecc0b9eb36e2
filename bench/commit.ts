/** What a durable commit costs, beside SQLite, LMDB and GNU dbm for the same bytes: see bench/native/commit_bench.cc. */
import { execa } from 'execa';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { projectRoot } from '../harness/core/version.js';

export async function benchCommit(argument: string | undefined): Promise<unknown> {
  await execa('make', ['-s', '-C', path.join(projectRoot, 'bench', 'native')], { stderr: 'inherit' });
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-bench-'));
  try {
    const { stdout } = await execa(path.join(projectRoot, 'build', 'bench', 'commit_bench'), [
      folder,
      argument ?? '300',
    ]);
    return JSON.parse(stdout) as unknown;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
