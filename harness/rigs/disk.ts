/** Can this machine record and explore a real file system's disk? */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../core/version.js';
import { canUnshareMounts, privateMountsVariable, whyNoImage } from './reflink.js';

export interface Lack {
  reason: string;
  remedy: string;
}

/** Why not, and what to do about it; null: it can. */
export function whyNoDisk(): Lack | null {
  return whyNoDiskHere() ?? whyNoImage();
}

/** The same before the command line has entered a mount namespace of its own, which it does by itself. */
export function whyNoDiskHere(): Lack | null {
  if (process.getuid?.() !== 0) return { reason: 'rig disk mounts file systems, which needs root', remedy };
  if (!existsSync(path.join(projectRoot, 'build', 'Release', 'plugpull-disk'))) {
    return {
      reason: 'the crash disk is not built',
      remedy: 'install libfuse3-dev and pkg-config, then: npm run build',
    };
  }
  if (process.env[privateMountsVariable] === undefined && !canUnshareMounts()) {
    return {
      reason: 'rig disk needs mounts of its own, and unshare(1) cannot have them here',
      remedy: `give the container CAP_SYS_ADMIN, ${orUml}`,
    };
  }
  for (const [device, module] of [
    ['/dev/fuse', 'fuse'],
    ['/dev/loop-control', 'loop'],
  ] as const) {
    const error = whyNotOpen(device);
    if (error !== null) {
      return {
        reason: `rig disk needs ${device} (${error})`,
        remedy: `modprobe ${module}, or give it to the container, ${orUml}`,
      };
    }
  }
  return whyNoLoop();
}

const orUml = 'or install user-mode Linux: apt-get install user-mode-linux kmod';
const remedy = `run as root, ${orUml}; rig model needs nothing`;

/** A container may have the control device and none of the others. */
function whyNoLoop(): Lack | null {
  const asked = spawnSync('losetup', ['--find'], { encoding: 'utf8', timeout: 10_000 });
  if (asked.error !== undefined) return null; // without that program, the first attempt tells
  const device = asked.stdout.trim();
  const error = asked.status === 0 ? whyNotOpen(device) : asked.stderr.trim();
  if (error === null) return null;
  return {
    reason: `rig disk needs a loop device (${error}${device === '' ? '' : `: ${device}`})`,
    remedy: `give loop devices to the container, ${orUml}`,
  };
}

/** Permissions alone do not say what a container may open. */
function whyNotOpen(file: string): string | null {
  try {
    closeSync(openSync(file, 'r+'));
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
