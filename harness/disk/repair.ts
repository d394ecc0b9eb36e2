/** What a user would do with a file system that cannot be mounted: let its programs repair it, mount it, and look at the data. */
import { rmSync } from 'node:fs';
import { loadExeca } from '../core/execa.js';
import type { SubjectCheck } from '../subjects/subject.js';
import type { FileSystem } from './file-systems.js';
import { diskProgram } from './line-process.js';
import { whileMounted } from './mounted-image.js';
import type { Repair } from './state-source.js';

const outputBytes = 8 * 1024;
const repairMillis = 60_000;

/**
 * Runs one program after the other until the file system can be mounted; then checks the target.
 * @param saved file that `plugpull-disk explore` saved; the image is made beside it, and removed
 * @param folder where the file system is mounted
 * @param refusal why it could not be mounted before
 * @param check of the target, in the mounted file system
 */
export async function repair(
  fs: Pick<FileSystem, 'type' | 'options' | 'repair'>,
  saved: string,
  folder: string,
  refusal: string,
  check: () => Promise<SubjectCheck>,
): Promise<Repair> {
  const image = `${saved}.img`;
  const told: string[] = [];
  const ran: string[] = [];
  try {
    const { execa } = await loadExeca();
    await execa(diskProgram(), ['restore', saved, image]);
    for (const [program = '', ...args] of fs.repair) {
      const command = [program, ...args].join(' ');
      ran.push(command);
      told.push(`$ ${command}`, await said(program, [...args, image]));
      const mounted = await whileMounted(image, folder, fs, check);
      if ('refused' in mounted) {
        told.push(`still not to be mounted: ${mounted.refused}`);
        continue;
      }
      told.push('then it could be mounted');
      const repaired = { refusal, by: ran.join(', then ') };
      return { log: told.join('\n'), check: { ...mounted.result, repaired } };
    }
    return { log: told.join('\n'), check: null };
  } finally {
    rmSync(image, { force: true });
  }
}

async function said(program: string, args: string[]): Promise<string> {
  const env = { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const { execa } = await loadExeca();
  const run = await execa(program, args, { reject: false, all: true, timeout: repairMillis, env });
  const how = run.exitCode === undefined ? run.shortMessage : `exit ${run.exitCode}`;
  return `${run.all.slice(-outputBytes)}\n${how ?? 'it did not end'}`;
}
