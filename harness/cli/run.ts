/** `plugpull run`: tortures targets and reports what is left of them. */
import { Command } from 'commander';
import os from 'node:os';
import path from 'node:path';
import { isWorkloadPath, loadWorkload } from '../../workloads/registry.js';
import { createReporters, type ReportRequest } from '../../reports/registry.js';
import { Campaign } from '../campaign/campaign.js';
import { complain } from './complain.js';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { UsageError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { freshSeed } from '../core/seed.js';
import type { RunFlags } from './flags.js';
import { planCampaign } from './plan.js';
import { againInPrivateMounts, canEnterPrivateMounts, dieWithStarter } from './private-mounts.js';
import {
  bytes,
  duration,
  jobs,
  list,
  positiveInteger,
  probability,
  repeated,
  seed,
  shard,
  smallNumber,
} from './options.js';
import { resumable } from './resume.js';

const defaultMillis = 60_000;
/** Two interrupts so close together are one keystroke. */
const sameKeyMillis = 100;
const defaultMaxFailures = 10;

export function runCommand(): Command {
  return new Command('run')
    .description('torture targets: crash them, recover them, check what is left')
    .option('--backend <names>', 'FAMS backends (default: all; see `plugpull list`)', list)
    .option(
      '--workload <names>',
      'workloads over them, by name or the path of a module of your own (default: all)',
      list,
    )
    .option('--planted <names>', 'planted bugs to switch on, each in targets of its own', list)
    .option('--tracker <kind>', 'how changed pages are found: auto, pagemap, mprotect, compare')
    .option('--input <file>', 'the text that the workload text-index reads')
    .option('--no-controls', 'leave out the negative control and the planted bugs')
    .option('--target <names>', 'programs of the config file to torture, or all', list)
    .option('--setup <command>', 'any program: makes commit 0 in $PLUGPULL_DIR')
    .option('--run <command>', 'any program: works, and prints `plugpull commit K`')
    .option('--check <command>', 'any program: recovers, verifies, prints `plugpull state K`')
    .option('--name <name>', 'a name for that program in the reports')
    .option('--with <file>', 'a program that the commands need (repeatable)', repeated)
    .option('--ignore <glob>', 'files that may differ between two recoveries (repeatable)', repeated)
    .option('--recover-twice <what>', 'what two recoveries must agree in: state or bytes')
    .option('--promise <what>', 'what that program promises of acked commits: durable or consistent')
    .option('--timeout <duration>', 'for setup, check and the silence of run', duration)
    .option(
      '--fault <names>',
      'kill, cut (default: both, as far as this machine can), poweroff, power-command',
      list,
    )
    .option('--rig <names>', 'folder, model, disk, vm, host', list)
    .option('--fs <list>', 'file systems of rigs disk and vm: ext4,xfs,btrfs, and f2fs in guests', list)
    .option(
      '--disk-fault <names>',
      'what is wrong with the disk of rig disk: lying-flush (must be caught), torn-512, eio-read, eio-write, eio-flush, full, slow, none',
      list,
    )
    .option('--uml', 'rig disk inside user-mode Linux (default: where it cannot be had otherwise)')
    .option('--no-uml', 'never use user-mode Linux')
    .option('--kernel <names>', 'kernels of the guests of rig vm (default: 6.1)', list)
    .option(
      '--power-off-mode <modes>',
      'what the disk of rig vm loses: kept, volatile, log (default: all of them)',
      list,
    )
    .option('--recover <where>', 'what mounts the states of a log of rig vm: guest (default) or host')
    .option(
      '--profile <names>',
      'promises of the storage model: posix, ext4-ordered, ext4-dioread-lock, ext4-writeback, xfs, btrfs',
      list,
    )
    .option('--states <n>', 'crash states to explore for each target of a cut', positiveInteger)
    .option('--exhaustive', 'explore every crash state')
    .option(
      '--nested <n>',
      'cuts during recovery, one after the other, on rigs model and disk (default: 1)',
      smallNumber,
    )
    .option('--memory <size>', 'memory for remembering crash states on rig model, such as 512M', bytes)
    .option('--host <address>', 'a real machine whose power is cut, such as root@pi or root@pi:2222')
    .option('--identity <file>', 'private key for it (default: the keys of the ssh agent)')
    .option('--known-hosts <file>', 'its host key is in there (default: ~/.ssh/known_hosts)')
    .option('--power-off <command>', 'cuts its power; run here, by /bin/sh')
    .option('--power-on <command>', 'gives it back (default: it comes back by itself)')
    .option('--off-for <duration>', 'how long its power stays off (default: 3s)', duration)
    .option('--after-boot <command>', 'run there after each boot, such as a mount')
    .option('--boot-timeout <duration>', 'how long it may take to come back (default: 5m)', duration)
    .option('--remote-dir <folder>', 'folder there, on the file system that is tortured')
    .option('--remote-tools <folder>', 'folder there for node and plugpull (default: /var/tmp/plugpull)')
    .option('--remote-plugpull <folder>', 'a built checkout there, instead of what we would copy')
    .option('--commits <n>', 'commits in a run that is recorded for cuts', positiveInteger)
    .option(
      '--sweep <which>',
      'targets that are killed at every named step: first of each backend, all, none',
    )
    .option('--seed <n>', 'the seed of the whole campaign', seed)
    .option('--trials <n>', 'stop after so many trials', positiveInteger)
    .option('--for <duration>', 'stop after this time (default: 60s, unless --trials is given)', duration)
    .option('--jobs <n>', 'trials in parallel, at most 256 (default: one for each core)', jobs)
    .option('--shard <i/n>', 'only the i-th of n shares of the trials', shard)
    .option(
      '--max-failures <n>',
      `stop after so many violations (default: ${defaultMaxFailures})`,
      positiveInteger,
    )
    .option(
      '--gate-upper-bound <p>',
      'exit 2 unless the trials bound the probability of a violation by p (95 %)',
      probability,
    )
    .option('--config <file>', 'configuration (default: plugpull.config.ts, .js or .json)')
    .option('--out <folder>', 'the run directory (default: a new one in .plugpull/runs)')
    .option(
      '--dir <folder>',
      "folder for the targets' files (default: heaps in memory, others in the run directory)",
    )
    .option('--resume <folder>', 'go on with an interrupted run')
    .option('--json', 'print one JSON object on stdout at the end')
    .option('--quiet', 'nothing but one line on stderr for each violation')
    .option('--junit <file>', 'write a JUnit report')
    .option('--html <file>', 'write an HTML report (default: report.html in the run directory)')
    .option('--markdown <file>', 'write a Markdown report')
    .option('--github', 'GitHub annotations and step summary (default: when $GITHUB_ACTIONS is set)')
    .action(async (flags: RunFlags) => {
      process.exitCode = await run(flags);
    });
}

async function run(flags: RunFlags): Promise<number> {
  const resumed = flags.resume === undefined ? null : await resumable(flags.resume);
  const asked = resumed === null ? flags : resumed.flags;
  const { config } = await loadConfig(process.cwd(), asked.config);
  await loadModules(asked.workload ?? config.workloads);
  const plan = planCampaign(asked, config);
  if (plan.wantsMounts && canEnterPrivateMounts()) return againInPrivateMounts();

  const chosenSeed = resumed?.seed ?? asked.seed ?? config.seed ?? freshSeed();
  const runFolder = path.resolve(flags.resume ?? asked.out ?? newRunFolder(chosenSeed));
  const campaign = new Campaign(
    {
      seed: chosenSeed,
      shard: asked.shard ?? { index: 1, of: 1 },
      budget: budget(asked, config),
      jobs: asked.jobs ?? config.jobs ?? os.availableParallelism(),
      runFolder,
      workFolder: asked.dir === undefined ? null : path.resolve(asked.dir),
      resume: flags.resume !== undefined,
      maxFailures: asked.maxFailures ?? config.maxFailures ?? defaultMaxFailures,
      gateUpperBound: asked.gateUpperBound ?? config.gateUpperBound ?? null,
      argv: process.argv.slice(2),
      config: { flags: asked, targets: plan.targets },
      skipped: plan.skipped,
      wanted: plan.wanted,
    },
    plan.engines,
    createReporters(reportsWanted(asked, runFolder)),
  );
  stopOnSignals(campaign);
  dieWithStarter(() => process.exit(exitCodes.interrupted));
  try {
    return (await campaign.run()).exitCode;
  } catch (error) {
    if (!campaign.violated) throw error;
    complain(error);
    return exitCodes.violation;
  }
}

/** Loads the workloads that are the user's own, so that what is wrong with them is said at once. */
async function loadModules(wanted: readonly string[]): Promise<void> {
  for (const file of wanted.filter(isWorkloadPath)) {
    try {
      await loadWorkload(file);
    } catch (error) {
      throw new UsageError((error as Error).message, 'see docs/workloads.md');
    }
  }
}

function budget(flags: RunFlags, config: Config): { millis: number | null; trials: number | null } {
  const trials = flags.trials ?? config.trials ?? null;
  const millis = flags.for ?? config.for ?? (trials === null ? defaultMillis : null);
  return { millis, trials };
}

export function newRunFolder(chosenSeed: number): string {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  return path.join('.plugpull', 'runs', `${stamp}-${chosenSeed}`);
}

function reportsWanted(flags: RunFlags, runFolder: string): ReportRequest[] {
  const wanted: ReportRequest[] = [];
  if (flags.quiet === true) wanted.push({ kind: 'violations' });
  else wanted.push({ kind: 'terminal', summaryOnStdout: flags.json !== true });
  if (flags.json === true) wanted.push({ kind: 'json' });
  if (flags.junit !== undefined) wanted.push({ kind: 'junit', file: flags.junit });
  if (flags.markdown !== undefined) wanted.push({ kind: 'markdown', file: flags.markdown });
  if (flags.github ?? process.env.GITHUB_ACTIONS === 'true') wanted.push({ kind: 'github' });
  wanted.push({ kind: 'html', file: flags.html ?? path.join(runFolder, 'report.html') });
  return wanted;
}

/** The first signal lets the trials under way end; the second does not wait for them. */
export function stopOnSignals(campaign: Campaign): void {
  let stopping = false;
  let last = -Infinity;
  const stop = (signal: NodeJS.Signals): void => {
    // One Ctrl-C can come twice: from the terminal, and from the process that started this one.
    const repeated = signal === 'SIGINT' && performance.now() - last < sameKeyMillis;
    last = performance.now();
    if (repeated) return;
    if (stopping) process.exit(exitCodes.interrupted);
    stopping = true;
    process.stderr.write('\nplugpull: stopping after the trials under way; once more stops at once\n');
    campaign.interrupt();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
}
