/**
 * Holds the storage model's profiles against the real file systems: every planted bug that needs a power cut, and the
 * negative control, on rig `disk` and under the profile of the same file system. What a disk shows and the profile does not is a
 * bug of the profile; what only the profile shows, it is stricter in, or the disk's states were too few. As root:
 * `node dist/bench/main.js profiles [states]`.
 */
import { execa } from 'execa';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { native } from '../native/index.js';
import { isViolation, type Verdict } from '../harness/core/verdict.js';
import { projectRoot } from '../harness/core/version.js';

const profileOf = { ext4: 'ext4-ordered', xfs: 'xfs', btrfs: 'btrfs' } as const;
type FileSystemName = keyof typeof profileOf;

/** For all targets of one run together. */
const diskTime = '90s';
const modelTime = '30s';

interface Row {
  target: string;
  fs: FileSystemName;
  /** Classes of violations that were seen; empty: it held. */
  disk: Verdict[];
  model: Verdict[];
  finding: 'same' | 'model stricter' | 'only the disk shows it';
}

interface Answer {
  targets: { id: string; counts: Record<Verdict, number> }[];
}

/** What a run on a rig saw, by target: classes of violations. */
async function seen(
  targets: string[],
  rig: string[],
  states: string,
  folder: string,
): Promise<Map<string, Verdict[]>> {
  const run = await execa(
    process.execPath,
    [
      path.join(projectRoot, 'bin', 'plugpull'),
      ...['run', '--fault', 'cut', '--seed', '7', '--quiet', '--json', '--max-failures', '1000000'],
      ...['--states', states, ...rig, ...targets],
    ],
    { cwd: folder, reject: false },
  );
  if (run.stdout === '') throw new Error(`${rig.join(' ')}: ${run.stderr}`);
  const classes = new Map<string, Verdict[]>();
  for (const { id, counts } of (JSON.parse(run.stdout) as Answer).targets) {
    const shown = (Object.keys(counts) as Verdict[]).filter(
      (verdict) => isViolation(verdict) && counts[verdict] > 0,
    );
    // A target that was not tried says nothing.
    const tried = Object.values(counts).reduce((sum, count) => sum + count, 0);
    // Under a profile its id has the profile's name behind it.
    if (tried > 0) classes.set(id.replace(/@.*$/, ''), shown);
  }
  return classes;
}

export async function benchProfiles(argument: string | undefined): Promise<Row[]> {
  const states = argument ?? '400';
  const bugs = native.plantedBugs().filter(({ seenBy }) => seenBy === 'cut');
  const asked = [
    ['--planted', bugs.map(({ name }) => name).join(',')],
    [
      '--backend',
      native
        .backends()
        .map(({ name }) => name)
        .join(','),
      '--workload',
      'bank',
    ],
  ];
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-bench-'));
  const rows: Row[] = [];
  try {
    for (const fs of Object.keys(profileOf) as FileSystemName[]) {
      for (const targets of asked) {
        const disk = await seen(
          targets,
          ['--rig', 'disk', '--no-uml', '--fs', fs, '--for', diskTime],
          states,
          folder,
        );
        const model = await seen(
          targets,
          ['--rig', 'model', '--profile', profileOf[fs], '--for', modelTime],
          '5000',
          folder,
        );
        for (const [target, onDisk] of disk) {
          const inModel = model.get(target) ?? [];
          const finding =
            onDisk.length > 0 && inModel.length === 0
              ? 'only the disk shows it'
              : onDisk.length === 0 && inModel.length > 0
                ? 'model stricter'
                : 'same';
          rows.push({ target, fs, disk: onDisk, model: inModel, finding });
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return rows;
}
