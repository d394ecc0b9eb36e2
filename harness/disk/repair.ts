/** What a user would do with a file system that cannot be mounted. */
import { execa } from 'execa';
import { rmSync } from 'node:fs';
import type { FileSystem } from './file-systems.js';
import { diskProgram } from './line-process.js';

const outputBytes = 8 * 1024;

/**
 * Lets the file system's own programs repair a saved state, one after the other until one says that it succeeded.
 * Gives their output and exit statuses. @param state file that `plugpull-disk explore` saved
 */
export async function tryRepair(fs: FileSystem, state: string): Promise<string> {
  const image = `${state}.img`;
  const told: string[] = [];
  try {
    await execa(diskProgram(), ['restore', state, image]);
    for (const [program = '', ...args] of fs.repair) {
      const env = { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };

      const run = await execa(program, [...args, image], { reject: false, all: true, timeout: 60_000, env });
      told.push(
        `$ ${[program, ...args].join(' ')}`,
        run.all.slice(-outputBytes),
        `exit ${run.exitCode ?? 'none'}`,
      );
      // e2fsck says 1 when it has repaired all that was wrong.
      if (run.exitCode === 0 || run.exitCode === 1) break;
    }
  } finally {
    rmSync(image, { force: true });
  }
  return told.join('\n');
}
