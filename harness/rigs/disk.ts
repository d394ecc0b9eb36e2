/** Can this machine record and explore a real file system's disk? */
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../core/version.js';
import { whyNoImage } from './reflink.js';

interface Lack {
  reason: string;
  remedy: string;
}

/** Why not, and what to do about it; null: it can. */
export function whyNoDisk(): Lack | null {
  return whyNoDiskHere() ?? whyNoImage();
}

/** The same without the mount namespace, which the command line enters by itself. */
export function whyNoDiskHere(): Lack | null {
  if (process.getuid?.() !== 0) {
    return {
      reason: 'rig disk mounts file systems, which needs root',
      remedy:
        'run as root, or install user-mode Linux: apt-get install user-mode-linux kmod; rig model needs nothing',
    };
  }
  if (!existsSync(path.join(projectRoot, 'build', 'Release', 'plugpull-disk'))) {
    return {
      reason: 'the crash disk is not built',
      remedy: 'install libfuse3-dev and pkg-config, then: npm run build',
    };
  }
  for (const [device, module] of [
    ['/dev/fuse', 'fuse'],
    ['/dev/loop-control', 'loop'],
  ] as const) {
    try {
      accessSync(device, constants.R_OK | constants.W_OK);
    } catch {
      return {
        reason: `rig disk needs ${device}`,
        remedy: `modprobe ${module}, or give it to the container, or install user-mode Linux: apt-get install user-mode-linux kmod`,
      };
    }
  }
  return null;
}
