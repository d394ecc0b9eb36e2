/** `plugpull certify`: every planted bug must be caught, and no correct backend accused. */
import { Command } from 'commander';
import os from 'node:os';
import path from 'node:path';
import { createReporters, type ReportRequest } from '../../reports/registry.js';
import { Campaign } from '../campaign/campaign.js';
import { DiskEngine, defaultDiskCommits } from '../campaign/disk-engine.js';
import { KillEngine } from '../campaign/kill-engine.js';
import { ModelEngine } from '../campaign/model-engine.js';
import { Scoreboard } from '../campaign/scoreboard.js';
import { backendTargets } from '../campaign/targets.js';
import { exitCodes } from '../core/exit-codes.js';
import type { BackendTarget } from '../core/target.js';
import type { DiskFaultName } from '../disk/faults.js';
import { defaultModelOptions } from '../explore/model-jobs.js';
import { native, type PlantedBugInfo } from '../../native/index.js';
import { whyNoDisk } from '../rigs/disk.js';
import { positiveInteger, seed } from './options.js';
import { onDisk } from './plan-disk.js';
import { againInPrivateMounts, canEnterPrivateMounts, dieWithStarter } from './private-mounts.js';
import { newRunFolder, stopOnSignals } from './run.js';

interface CertifyFlags {
  seed: number;
  jobs?: number;
  out?: string;
  json?: boolean;
  quiet?: boolean;
}

/** Workloads under which the correct backends must hold meanwhile. */
const heldUnder = ['bank', 'kv'];
const defaultSeed = 1;
const mostMillis = 600_000;
/** Crash states of one run; enough for every planted bug, and for all states of most runs. */
const maxStates = 5_000;
const statesOnFailingDisks = 1_600;

export function certifyCommand(): Command {
  return new Command('certify')
    .description('catch every planted bug, accuse no correct backend, and say how long it took')
    .option('--seed <n>', 'the seed of all of it', seed, defaultSeed)
    .option('--jobs <n>', 'trials in parallel (default: one for each core)', positiveInteger)
    .option('--out <folder>', 'the run directory (default: a new one in .plugpull/runs)')
    .option('--json', 'print one JSON object on stdout at the end')
    .option('--quiet', 'no progress')
    .action(async (flags: CertifyFlags) => {
      process.exitCode = await certify(flags);
    });
}

async function certify(flags: CertifyFlags): Promise<number> {
  if (canEnterPrivateMounts()) return againInPrivateMounts();
  const bugs = native.plantedBugs();
  const byKill = bugs.filter(({ seenBy }) => seenBy === 'kill').map(({ name }) => name);
  const byCut = bugs.filter(({ seenBy }) => seenBy !== 'error').map(({ name }) => name);
  const none = { backends: [], controls: false };
  const held = backendTargets({ ...none, workloads: heldUnder, planted: [] });
  const plain = native.backends().filter(({ failureAtomic }) => !failureAtomic);
  const controls = backendTargets({
    backends: plain.map(({ name }) => name),
    workloads: ['bank'],
    planted: [],
    controls: false,
  });
  const wrong = (planted: string[]): ReturnType<typeof backendTargets> =>
    backendTargets({ ...none, workloads: [], planted });
  const board = new Scoreboard(bugs);
  const runFolder = path.resolve(flags.out ?? newRunFolder(flags.seed));
  const campaign = new Campaign(
    {
      seed: flags.seed,
      shard: { index: 1, of: 1 },
      budget: { millis: mostMillis, trials: null },
      jobs: flags.jobs ?? os.availableParallelism(),
      runFolder,
      workFolder: null,
      resume: false,
      maxFailures: 1,
      gateUpperBound: null,
      argv: process.argv.slice(2),
      config: { flags, certify: true },
      skipped: [],
    },
    [
      new ModelEngine([...held, ...controls, ...wrong(byCut)], {
        ...defaultModelOptions,
        maxStates,
        profiles: [defaultModelOptions.profile],
        exhaustive: false,
        rounds: 1,
      }),
      new KillEngine(wrong(byKill), 'first'),
      ...onFailingDisks(bugs, wrong),
    ],
    [board, ...createReporters(reportsWanted(flags, runFolder))],
  );
  stopOnSignals(campaign);
  dieWithStarter(() => process.exit(exitCodes.interrupted));
  const result = await campaign.run();
  const text = flags.json === true ? `${JSON.stringify(board.result())}\n` : board.table();
  process.stdout.write(text);
  if (result.exitCode === exitCodes.interrupted) return result.exitCode;
  // A bug that escaped, and a correct backend that was accused, are both failures of the harness.
  return board.passed() && result.verdict !== 'violation' ? exitCodes.held : exitCodes.ownFailure;
}

/** Where each of the bugs that need errors of the OS shows. */
const failingDisks: { diskFault: DiskFaultName; fs: string; bugs: readonly string[] }[] = [
  { diskFault: 'eio-write', fs: 'ext4', bugs: ['redo.fsync-retried'] },
  // Only where overwriting takes new space does a full file system cut a write short.
  { diskFault: 'full', fs: 'btrfs', bugs: ['redo.short-write-ignored'] },
];

function onFailingDisks(
  bugs: readonly PlantedBugInfo[],
  wrong: (planted: string[]) => BackendTarget[],
): DiskEngine[] {
  if (whyNoDisk() !== null) return [];
  return failingDisks.map(({ diskFault, fs, bugs: shown }) => {
    const names = bugs.map(({ name }) => name).filter((name) => shown.includes(name));
    return new DiskEngine(onDisk(wrong(names), diskFault), {
      diskFault,
      fileSystems: [fs],
      commits: defaultDiskCommits,
      states: statesOnFailingDisks,
      exhaustive: false,
    });
  });
}

function reportsWanted(flags: CertifyFlags, runFolder: string): ReportRequest[] {
  const html: ReportRequest = { kind: 'html', file: path.join(runFolder, 'report.html') };
  return flags.quiet === true ? [html] : [{ kind: 'terminal', summaryOnStdout: false, summary: false }, html];
}
