/** Looks at the machine. Each finding says what depends on it, and how to get it where it is missing. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { native } from '../../native/index.js';
import { makers } from '../disk/file-systems.js';
import { whyNoDiskHere } from '../rigs/disk.js';
import { canUnshareMounts } from '../rigs/reflink.js';
import { reflinkAvailable } from '../rigs/reflink-probe.js';
import { userModeLinux, whyNoUml } from '../rigs/uml.js';
import { guardPath } from '../subjects/guard.js';

export interface Finding {
  /** `missing`: the main job cannot be done; `optional`: a part of it is skipped. */
  state: 'ok' | 'optional' | 'missing';
  what: string;
  detail: string;
  remedy?: string;
}

/** Programs, what needs them, and the Debian package that has them. */
const programs = [
  {
    program: 'unshare',
    for: 'private mounts (backend snap without a reflink folder, rig disk)',
    pkg: 'util-linux',
  },
  ...makers().map(({ name, program, pkg }) => ({ program, for: `${name} on rig disk`, pkg })),
];

export async function diagnose(): Promise<Finding[]> {
  const findings: Finding[] = [nativeCore(), guard(), user()];
  findings.push(...programs.map(programFinding), ...kernel(), rigDisk(), zram(), uml(), reflink());
  return Promise.resolve(findings);
}

function nativeCore(): Finding {
  const count = native.backends().length;
  return { state: 'ok', what: 'native core', detail: `built; ${count} backends` };
}

function guard(): Finding {
  const what = 'guard';
  return existsSync(guardPath())
    ? { state: 'ok', what, detail: 'built; programs of your own can be tortured' }
    : { state: 'missing', what, detail: 'not built', remedy: 'npm run build' };
}

function user(): Finding {
  if (process.getuid?.() === 0 && canUnshareMounts()) {
    return { state: 'ok', what: 'user', detail: 'root: images can be mounted' };
  }
  if (process.getuid?.() === 0) {
    return {
      ...{ state: 'optional', what: 'user', detail: 'root, but without mounts of its own: no images' },
      remedy: 'give the container CAP_SYS_ADMIN, with unshare(1) installed (Debian package util-linux)',
    };
  }
  return {
    state: 'optional',
    what: 'user',
    detail: 'ordinary user: no images can be mounted by the running kernel',
    remedy:
      'as root, backend snap and rig disk work without further ado; rig disk also inside user-mode Linux',
  };
}

function programFinding({ program, for: what, pkg }: (typeof programs)[number]): Finding {
  const found = (process.env.PATH ?? '')
    .split(':')
    .concat('/usr/sbin', '/sbin')
    .some((folder) => existsSync(path.join(folder, program)));
  if (found) return { state: 'ok', what: program, detail: what };
  return {
    state: 'optional',
    what: program,
    detail: `not installed; needed for ${what}`,
    remedy: `apt-get install ${pkg}`,
  };
}

function kernel(): Finding[] {
  const { pagemap } = native.trackersAvailable();
  return [
    {
      state: pagemap ? 'ok' : 'optional',
      what: 'PAGEMAP_SCAN',
      detail: pagemap
        ? 'changed pages are found by write-protection'
        : 'not there; changed pages are found by mprotect',
    },
  ];
}

/** What a run asks before it uses the rig. */
function rigDisk(): Finding {
  const what = 'rig disk';
  const lack = whyNoDiskHere();
  if (lack === null) return { state: 'ok', what, detail: 'file systems can be recorded and mounted' };
  return { state: 'optional', what, detail: lack.reason, remedy: lack.remedy };
}

function zram(): Finding {
  const what = 'zram';
  if (existsSync('/sys/class/zram-control'))
    return { state: 'ok', what, detail: 'rig disk shows states of ext4 on it' };
  return {
    ...{ state: 'optional', what, detail: 'not there; rig disk shows states of ext4 more slowly without it' },
    remedy: 'modprobe zram num_devices=0',
  };
}

function uml(): Finding {
  const what = 'user-mode Linux';
  const there = userModeLinux();
  if (there !== null) {
    const { release } = there;
    return { state: 'ok', what, detail: `kernel ${release}: rig disk needs neither root nor devices` };
  }
  const { reason, remedy } = whyNoUml() ?? { reason: 'not there', remedy: '' };
  return { state: 'optional', what, detail: `${reason}; needed for rig disk without root`, remedy };
}

function reflink(): Finding {
  const what = 'reflink';
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-doctor-'));
  try {
    if (reflinkAvailable(folder)) return { state: 'ok', what, detail: `${os.tmpdir()} can clone files` };
    return {
      state: 'optional',
      what,
      detail: `${os.tmpdir()} cannot clone files: backend snap needs an XFS image (root) or another folder`,
      remedy: 'name a folder on XFS or btrfs with --dir',
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
