/** From flags to the engines that cut power on rig `disk`; what this machine lacks for it is named. */
import type { Engine } from '../campaign/context.js';
import { defaultDiskCommits } from '../campaign/disk-engine.js';
import { UnavailableError } from '../core/errors.js';
import type { Target } from '../core/target.js';
import { diskFaultNames, givesErrors, mustBeCaught, suffixOf, type DiskFaultName } from '../disk/faults.js';
import { fileSystemNames, parseFileSystem } from '../disk/file-systems.js';
import { whyNoDiskHere } from '../rigs/disk.js';
import { onPath, userModeLinux, whyNoUml } from '../rigs/uml.js';
import { diskEngine } from '../uml/choose.js';
import type { CampaignPlan } from './campaign-plan.js';
import { sameCommandWith } from './command-line.js';
import type { RunFlags } from './flags.js';
import { pick } from './pick.js';
import { shownBy } from './plan-targets.js';

type Part = Pick<CampaignPlan, 'skipped' | 'wanted'> & { engines: Engine[] };

/** Where programs lose their power unless somewhere else is named. */
const defaultFileSystem = 'ext4';

/**
 * Heaps get there only when it is asked for: recording takes a second or more for each of them, and the model shows the same.
 * A program can be cut nowhere else, so it is wherever this machine can.
 */
export function planDisk(flags: RunFlags, targets: readonly Target[]): Part {
  const asked = flags.fs !== undefined || flags.rig?.includes('disk') === true;
  if (asked) return askedFor(flags, targets);
  const programs = targets.filter(({ kind }) => kind === 'command');
  if (programs.length === 0 || flags.rig !== undefined) return { engines: [], skipped: [], wanted: [] };
  const named = flags.fault?.includes('cut') === true;
  const lack = named ? null : whyNoDiskFor(flags.uml);
  if (lack !== null) {
    return { engines: [], skipped: [{ what: 'cut on disk (ext4, xfs, btrfs)', ...lack }], wanted: [] };
  }
  const others = fileSystemNames.filter((name) => name !== defaultFileSystem);
  return {
    engines: enginesOf(flags, programs, [defaultFileSystem]),
    skipped: [
      {
        what: `cut on disk (${others.join(', ')})`,
        reason: `only ${defaultFileSystem} is tried unless others are named`,
        remedy: sameCommandWith(['--fs', fileSystemNames.join(',')]),
      },
    ],
    wanted: [{ fault: 'cut', rig: 'disk', fs: defaultFileSystem, named }],
  };
}

/** Those file systems that can be made here; at least one. */
function askedFor(flags: RunFlags, targets: readonly Target[]): Part {
  const skipped: Part['skipped'] = [];
  const there = (flags.fs ?? fileSystemNames).filter((spec) => {
    const { mkfs, pkg } = parseFileSystem(spec);
    const [program = ''] = mkfs;
    if (onPath(program) !== null) return true;
    const lack = { reason: `${program} is not installed`, remedy: `apt-get install ${pkg}` };
    skipped.push({
      what: `cut on disk (${spec})`,
      ...lack,
      ...(flags.fs === undefined ? {} : { missed: 'lacking' as const }),
    });
    return false;
  });
  const [first] = skipped;
  if (there.length === 0 && first !== undefined) throw new UnavailableError(first.reason, first.remedy);
  const place = { fault: 'cut', rig: 'disk', named: true } as const;
  return {
    engines: enginesOf(flags, targets, there),
    skipped,
    wanted: flags.fs === undefined ? [place] : there.map((fs) => ({ ...place, fs })),
  };
}

function enginesOf(flags: RunFlags, targets: readonly Target[], fileSystems: readonly string[]): Engine[] {
  return pick('disk fault', flags.diskFault ?? ['none'], diskFaultNames).map((diskFault) =>
    diskEngine(
      onDisk(targets, diskFault),
      {
        diskFault,
        fileSystems,
        commits: flags.commits ?? defaultDiskCommits,
        states: flags.states ?? null,
        exhaustive: flags.exhaustive ?? false,
        ...(flags.nested === undefined ? {} : { nested: flags.nested }),
      },
      flags.uml,
    ),
  );
}

/** Why rig `disk` cannot be had in either of its ways; null: it can. */
export function whyNoDiskFor(uml: boolean | undefined): ReturnType<typeof whyNoDiskHere> {
  if (uml === true) return whyNoUml();
  const here = whyNoDiskHere();
  return here === null || (uml === undefined && userModeLinux() !== null) ? null : here;
}

/** The targets as they are tried on a disk that is wrong in this way. */
export function onDisk(targets: readonly Target[], diskFault: DiskFaultName): Target[] {
  const shown = shownBy(targets, ['kill', 'cut', ...(givesErrors(diskFault) ? ['error'] : [])]);
  return shown.map((one) => ({
    ...one,
    id: `${one.id}${suffixOf(diskFault)}`,
    // Where nothing can hold, a target that does not break shows that the rig is blind.
    ...(mustBeCaught(diskFault) ? { expect: 'caught' } : {}),
  }));
}
