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
import { unpackFinding } from '../store/finding-bundle.js';
import {
  bundleName,
  recordFile,
  loadFinding,
  type RunRecord,
  type StoredFinding,
} from '../store/findings.js';
import { ignoredBy } from '../subjects/ignored.js';
import { createSubject } from '../subjects/create.js';
import { Zygote } from '../subjects/zygote.js';
import { recheck, runTrial, type TrialOptions } from '../trial/trial.js';
import { prefersUml } from '../uml/choose.js';
import { replayInUml } from '../uml/replay.js';
import { positiveInteger } from './options.js';
import { recordAnew } from './command-line.js';
import { replayDisk } from './replay-disk.js';
import { tell, type Told } from './replay-tell.js';
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
    .argument('<finding>', 'folder of a finding, as its report names it, or its bundle')
    .option('--crash', 'run the workload and crash it again, instead of checking the stored files')
    .option('--attempts <n>', 'how often a crash at a random moment is tried again', positiveInteger, 50)
    .option('--uml', 'mount a disk inside user-mode Linux (default: where it cannot be mounted otherwise)')
    .option('--no-uml', 'never use user-mode Linux')
    .option('--json', 'print one JSON object')
    .action(async (folder: string, flags: ReplayFlags) => {
      process.exitCode = await replay(folder, flags);
    });
}

async function replay(named: string, flags: ReplayFlags): Promise<number> {
  const place = path.resolve(named);
  const unpacked = mkdtempSync(path.join(os.tmpdir(), 'plugpull-finding-'));
  try {
    const inOneFile = statSync(place, { throwIfNoEntry: false })?.isFile() === true;
    const folder = inOneFile && unpackFinding(place, unpacked) ? unpacked : place;
    const shown = await shownAgain(folder, flags);
    if (typeof shown === 'number') return shown;
    const { told, judgement } = shown;
    tell({ ...told, files: inOneFile ? null : told.files }, judgement, flags.json === true);
    return exitCodeOf(isViolation(judgement.verdict) ? 'violation' : judgement.verdict);
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
}

interface Shown {
  told: Told;
  judgement: Judgement;
}

/**
 * @param place the folder of a finding, or a bundle of a crash state
 * @returns the exit status where another process has done it all
 */
async function shownAgain(place: string, flags: ReplayFlags): Promise<Shown | number> {
  const { run, files } = foundBy(place);
  const rest = { run, files, attempts: 1 };
  const state = flags.crash === true ? null : modelStateOf(place);
  if (state !== null) {
    const zygote = new Zygote();
    try {
      const judgement = await replayModelState(state, zygote);
      const checked = 'the run was recorded again over the storage model, and its crash state shown';
      return { told: { ...state, ...rest, checked }, judgement };
    } finally {
      await zygote.close();
    }
  }
  const disk = diskBundleOf(place, flags);
  if (disk !== null) {
    const { file, bundle } = disk;
    const { kernel } = bundle.manifest;
    const checked = 'the disk as the power cut left it; the program was not run again';
    const told = { ...bundle.manifest, ...rest, checked };
    if (kernel !== undefined && flags.uml === undefined && whyNoQemu() === null) {
      const progress = (text: string): void => void process.stderr.write(`plugpull: ${text}\n`);
      return { told, judgement: await replayInGuest(bundle, kernel, progress) };
    }
    if (flags.uml !== true && canEnterPrivateMounts()) return againInPrivateMounts();
    goWhere(run);
    return { told, judgement: await (prefersUml(flags.uml) ? replayInUml(file) : replayDisk(bundle)) };
  }
  const stored = loadFinding(place);
  const { record } = stored;
  if (flags.crash === true && record.plan.mode === 'state') {
    throw new UsageError(
      'a power cut of a recorded run is not made again by itself; the whole run can be recorded anew',
      run === null ? 'run the campaign again' : recordAnew(run),
    );
  }
  const reflink = record.target.kind === 'backend' && record.target.needsReflink;
  if (reflink && !reflinkAvailable(os.tmpdir()) && canEnterPrivateMounts()) {
    return againInPrivateMounts();
  }
  goWhere(run);

  const base = mkdtempSync(path.join(os.tmpdir(), 'plugpull-replay-'));
  const rig: Rig = reflink && !reflinkAvailable(base) ? new ReflinkImageRig(base) : new FolderRig(base);
  const zygote = new Zygote();
  try {
    await rig.prepare();
    const { judgement, attempts } = await again(stored, rig, zygote, flags);
    const checked =
      flags.crash === true
        ? 'the program was run and crashed again at the same place'
        : 'the files as the crash left them; the program was not run again';
    return { told: { ...record, ...rest, checked, attempts }, judgement };
  } finally {
    await zygote.close();
    await rig.close();
    rmSync(base, { recursive: true, force: true });
  }
}

/** What the folder of a finding knows of its run; a bundle alone knows nothing of that. */
function foundBy(place: string): Pick<Told, 'run' | 'files'> {
  if (!existsSync(path.join(place, recordFile))) return { run: null, files: null };
  const { record, afterCrash } = loadFinding(place);
  return { run: record.run ?? null, files: afterCrash };
}

/** The commands of a program may name files from where the campaign ran. */
function goWhere(run: RunRecord | null): void {
  if (run !== null && statSync(run.cwd, { throwIfNoEntry: false })?.isDirectory() === true)
    process.chdir(run.cwd);
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
  const file = inFolder ? path.join(name, bundleName) : name;
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
