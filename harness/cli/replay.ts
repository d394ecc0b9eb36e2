/** `plugpull replay`: shows a finding again, from its files or by crashing at the same place. */
import { Command } from 'commander';
import { cpSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { UnavailableError, UsageError } from '../core/errors.js';
import { exitCodeOf } from '../core/exit-codes.js';
import { deriveSeed } from '../core/seed.js';
import { promiseOf } from '../core/target.js';
import { isViolation } from '../core/verdict.js';
import type { Judgement } from '../oracle/judge.js';
import { readDiskBundle } from '../disk/bundle.js';
import { modelStateOf, replayModelState } from '../explore/model-replay.js';
import { whyNoDisk } from '../rigs/disk.js';
import { whyNoQemu } from '../images/qemu.js';
import { replayInGuest } from '../poweroff/replay.js';
import { FolderRig } from '../rigs/folder.js';
import { ReflinkImageRig } from '../rigs/reflink.js';
import { reflinkAvailable } from '../rigs/reflink-probe.js';
import type { Rig } from '../rigs/rig.js';
import { loadFinding, type FindingRecord, type StoredFinding } from '../store/findings.js';
import { ignoredBy } from '../subjects/ignored.js';
import { createSubject } from '../subjects/create.js';
import { Zygote } from '../subjects/zygote.js';
import { recheck, runTrial, type TrialOptions } from '../trial/trial.js';
import { prefersUml } from '../uml/choose.js';
import { replayInUml } from '../uml/replay.js';
import { positiveInteger } from './options.js';
import { replayDisk } from './replay-disk.js';
import { againInPrivateMounts, canEnterPrivateMounts } from './private-mounts.js';

interface ReplayFlags {
  crash?: boolean;
  attempts: number;
  json?: boolean;
  uml?: boolean;
}

export function replayCommand(): Command {
  return new Command('replay')
    .description(
      'show a finding again: check the files that its crash left, or crash at the same place once more',
    )
    .argument('<finding>', 'folder of a finding, as its report names it')
    .option('--crash', 'run the workload and crash it again, instead of checking the stored files')
    .option('--attempts <n>', 'how often a crash at a random moment is tried again', positiveInteger, 50)
    .option('--uml', 'mount a disk inside user-mode Linux (default: where it cannot be mounted otherwise)')
    .option('--no-uml', 'never use user-mode Linux')
    .option('--json', 'print one JSON object')
    .action(async (folder: string, flags: ReplayFlags) => {
      process.exitCode = await replay(folder, flags);
    });
}

async function replay(folder: string, flags: ReplayFlags): Promise<number> {
  const state = flags.crash === true ? null : modelStateOf(folder);
  if (state !== null) {
    const zygote = new Zygote();
    try {
      const judgement = await replayModelState(state, zygote);
      tell(state, judgement, 1, flags);
      return exitCodeOf(isViolation(judgement.verdict) ? 'violation' : judgement.verdict);
    } finally {
      await zygote.close();
    }
  }
  const disk = diskBundleOf(folder, flags);
  if (disk !== null) {
    const { file, bundle } = disk;
    const { kernel } = bundle.manifest;
    if (kernel !== undefined && flags.uml === undefined && whyNoQemu() === null) {
      const progress = (text: string): void => void process.stderr.write(`plugpull: ${text}\n`);
      const judgement = await replayInGuest(bundle, kernel, progress);
      tell(bundle.manifest, judgement, 1, flags);
      return exitCodeOf(isViolation(judgement.verdict) ? 'violation' : judgement.verdict);
    }
    if (flags.uml !== true && canEnterPrivateMounts()) return againInPrivateMounts();
    const judgement = await (prefersUml(flags.uml) ? replayInUml(file) : replayDisk(bundle));
    tell(bundle.manifest, judgement, 1, flags);
    return exitCodeOf(isViolation(judgement.verdict) ? 'violation' : judgement.verdict);
  }
  const stored = loadFinding(folder);
  const { record } = stored;
  const reflink = record.target.kind === 'backend' && record.target.needsReflink;
  if (reflink && !reflinkAvailable(os.tmpdir()) && canEnterPrivateMounts()) return againInPrivateMounts();

  const base = mkdtempSync(path.join(os.tmpdir(), 'plugpull-replay-'));
  const rig: Rig = reflink && !reflinkAvailable(base) ? new ReflinkImageRig(base) : new FolderRig(base);
  const zygote = new Zygote();
  try {
    await rig.prepare();
    const { judgement, attempts } = await again(stored, rig, zygote, flags);
    tell(record, judgement, attempts, flags);
    return exitCodeOf(isViolation(judgement.verdict) ? 'violation' : judgement.verdict);
  } finally {
    await zygote.close();
    await rig.close();
    rmSync(base, { recursive: true, force: true });
  }
}

/**
 * The crash state of a real disk, if that is what is named: a bundle, or the folder of a finding that has one. Where no
 * disk can be mounted, the files of such a folder are what is left to check.
 */
function diskBundleOf(
  name: string,
  flags: ReplayFlags,
): { file: string; bundle: NonNullable<ReturnType<typeof readDiskBundle>> } | null {
  if (flags.crash === true) return null;
  const inFolder = statSync(name, { throwIfNoEntry: false })?.isDirectory() === true;
  const file = inFolder ? path.join(name, 'bundle.plugpull') : name;
  if (!existsSync(file)) return null;
  const bundle = readDiskBundle(file);
  if (bundle === null) return null;
  const inGuest = bundle.manifest.kernel !== undefined && whyNoQemu() === null;
  const lacking = inGuest || process.getuid?.() === 0 || prefersUml(flags.uml) ? null : whyNoDisk();
  if (lacking === null) return { file, bundle };
  if (inFolder && flags.uml === undefined) return null;
  throw new UnavailableError(lacking.reason, lacking.remedy);
}

async function again(
  { record, afterCrash }: StoredFinding,
  rig: Rig,
  zygote: Zygote,
  flags: ReplayFlags,
): Promise<{ judgement: Judgement; attempts: number }> {
  const { target, seed, plan, acked } = record;
  const subject = createSubject(target, zygote);
  const place = rig.place(0);
  const options: TrialOptions = {
    seed,
    plan,
    recoverTwice: target.kind === 'command' ? target.recoverTwice : 'bytes',
    promise: promiseOf(target),
    ignore: ignoredBy(target),
  };
  if (flags.crash !== true) {
    if (afterCrash === null) {
      throw new UsageError('this finding kept no files', 'replay it with --crash');
    }
    cpSync(afterCrash, place.dir, { recursive: true });
    return { judgement: await recheck(subject, place, acked, options), attempts: 1 };
  }
  // A crash at a step is exact; one at a moment may need more than one try, each a little to the side.
  const attempts = plan.mode === 'step' ? 1 : flags.attempts;
  let judgement: Judgement = { verdict: 'not-measured', reason: 'it was not tried', recovered: null };
  for (let attempt = 1; attempt <= attempts; attempt++) {
    place.clear();
    const spread = plan.delayMicros ?? 0;
    const delayMicros = attempt === 1 ? spread : 1 + (deriveSeed(seed, attempt) % Math.max(1, 2 * spread));
    const aimed = plan.mode === 'time' ? { ...plan, delayMicros } : plan;
    judgement = (await runTrial(subject, place, { ...options, plan: aimed })).judgement;
    if (isViolation(judgement.verdict)) return { judgement, attempts: attempt };
  }
  return { judgement, attempts };
}

function tell(
  record: Pick<FindingRecord, 'target' | 'verdict'>,
  judgement: Judgement,
  attempts: number,
  flags: ReplayFlags,
): void {
  const same = judgement.verdict === record.verdict;
  if (flags.json === true) {
    const { verdict, reason, recovered } = judgement;
    process.stdout.write(
      `${JSON.stringify({ schema: 'plugpull.replay/1', verdict, reason, recovered, recorded: record.verdict, same, attempts })}\n`,
    );
    return;
  }
  const outcome =
    judgement.reason === undefined ? judgement.verdict : `${judgement.verdict}: ${judgement.reason}`;
  const compared = same
    ? 'the same verdict as recorded'
    : judgement.verdict === 'held'
      ? `it was recorded as ${record.verdict}, and now holds`
      : `it was recorded as ${record.verdict}`;
  process.stdout.write(
    `${record.target.id}  ${outcome}\n  ${compared}; ${attempts} attempt${attempts === 1 ? '' : 's'}\n`,
  );
}
