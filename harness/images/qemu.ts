/** The QEMU that runs an image. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { UnavailableError } from '../core/errors.js';
import { findTool } from './tools.js';
import type { VmImage } from './store.js';

export interface Qemu {
  program: string;
  /** To start it with. */
  env: NodeJS.ProcessEnv;
  /** E.g. `7.2.22`. */
  version: string;
}

export const systemQemu = 'qemu-system-x86_64';

/** What came with the image, or the system's. Throws UnavailableError where there is none. */
export function qemuFor(image: VmImage): Qemu {
  const own = image.manifest.qemu;
  if (own !== undefined) {
    return { program: path.join(image.folder, own.program), env: process.env, version: own.version };
  }
  const program = findTool(systemQemu);
  const version = program === null ? null : qemuVersion(program);
  if (program === null || version === null) {
    throw new UnavailableError(
      program === null ? 'QEMU is not installed' : `${program} does not run`,
      'apt-get install --no-install-recommends qemu-system-x86',
    );
  }
  return { program, env: process.env, version };
}

const versions = new Map<string, string | null>();

/** `10.0.2` of a QEMU; null where it does not run. */
export function qemuVersion(program: string): string | null {
  const known = versions.get(program);
  if (known !== undefined) return known;
  const ran = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const version = ran.status === 0 ? (/version (\d+(?:\.\d+)+)/.exec(ran.stdout)?.[1] ?? null) : null;
  versions.set(program, version);
  return version;
}
