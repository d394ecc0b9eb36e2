/** From flags and configuration to the targets and engines of a campaign; what cannot be done here is named. */
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { backendTargets } from '../campaign/targets.js';
import type { Engine } from '../campaign/context.js';
import { KillEngine, sweepChoices } from '../campaign/kill-engine.js';
import { ModelEngine } from '../campaign/model-engine.js';
import { defaultDiskCommits } from '../campaign/disk-engine.js';
import { diskFaultNames, givesErrors, mustBeCaught, suffixOf, type DiskFaultName } from '../disk/faults.js';
import { fileSystemNames } from '../disk/file-systems.js';
import { faultNames, rigNames, type CommandTargetConfig, type Config } from '../config/schema.js';
import { UsageError } from '../core/errors.js';
import { defaultCommandLimits, promises, type CommandTarget, type Target } from '../core/target.js';
import { defaultModelOptions, notInModel } from '../explore/model-jobs.js';
import { native } from '../../native/index.js';
import { checkUsable } from '../rigs/folder.js';
import { diskEngine } from '../uml/choose.js';
import { requireTogether, type RunFlags } from './flags.js';
import { hostEngine, wantsHost } from './plan-host.js';
import { powerOffEngine } from './plan-poweroff.js';

export interface CampaignPlan {
  engines: Engine[];
  targets: Target[];
  skipped: { what: string; reason: string; remedy?: string }[];
  /** Something in it mounts file systems. */
  wantsMounts: boolean;
}

export function planCampaign(flags: RunFlags, config: Config): CampaignPlan {
  requireTogether(flags);
  if (flags.dir !== undefined) checkUsable(flags.dir);
  // Whoever names a machine means it.
  const onHost = flags.host !== undefined && flags.fault === undefined && flags.rig === undefined;
  const faults = pick('fault', onHost ? ['power-command'] : (flags.fault ?? config.fault), faultNames);
  const rigs = pick('rig', onHost ? ['host'] : (flags.rig ?? config.rig), rigNames);
  const [sweep = 'first'] = pick(
    'sweep',
    flags.sweep === undefined ? ['first'] : [flags.sweep],
    sweepChoices,
  );
  const targets = chooseTargets(flags, config);
  const skipped: CampaignPlan['skipped'] = [];
  const engines: Engine[] = [];
  if (faults.includes('kill') && rigs.includes('folder')) {
    engines.push(new KillEngine(shownBy(targets, ['kill']), sweep));
    // Those that were asked for by name are missed by name.
    if (flags.planted !== undefined) skipped.push(...unseenByKill(targets));
  }
  const wantsModel = faults.includes('cut') && rigs.includes('model');
  if (wantsModel && engines.length > 0 && targets.every(({ kind }) => kind === 'command')) {
    // An engine that can do nothing would still be given half of the time.
    skipped.push(...targets.map(({ id }) => ({ what: `${id} under cut on model`, ...notInModel })));
  } else if (wantsModel) {
    const { profiles, nested, memoryBytes } = modelChoices(flags);
    engines.push(
      new ModelEngine(shownBy(targets, ['kill', 'cut']), {
        profiles,
        nested,
        memoryBytes,
        commits: flags.commits ?? defaultModelOptions.commits,
        maxStates: flags.states ?? defaultModelOptions.maxStates,
        exhaustive: flags.exhaustive ?? false,
      }),
    );
  }
  // Recording takes seconds for each target and file system: only when asked for.
  const wantsDisk = flags.fs !== undefined || (flags.rig ?? config.rig).includes('disk');
  if (faults.includes('cut') && rigs.includes('disk') && wantsDisk) {
    for (const diskFault of pick('disk fault', flags.diskFault ?? ['none'], diskFaultNames)) {
      const options = {
        diskFault,
        fileSystems: flags.fs ?? fileSystemNames,
        commits: flags.commits ?? defaultDiskCommits,
        states: flags.states ?? null,
        exhaustive: flags.exhaustive ?? false,
        ...(flags.nested === undefined ? {} : { nested: flags.nested }),
      };
      engines.push(diskEngine(onDisk(targets, diskFault), options, flags.uml));
    }
  }
  // A guest takes seconds for each trial: only when asked for.
  const asked = [...(flags.fault ?? config.fault), ...(flags.rig ?? config.rig)];
  let guestsWantMounts = false;
  if (
    faults.includes('poweroff') &&
    rigs.includes('vm') &&
    (asked.includes('poweroff') || asked.includes('vm'))
  ) {
    const { engine, wantsMounts } = powerOffEngine(flags, targets, shownBy(targets, ['kill']));
    engines.push(engine);
    guestsWantMounts = wantsMounts;
  }
  if (faults.includes('power-command') && rigs.includes('host') && wantsHost(flags, asked)) {
    engines.push(hostEngine(flags, shownBy(targets, ['kill', 'cut'])));
  }
  if (engines.length === 0) {
    throw new UsageError(
      `no rig among ${rigs.join(', ')} can do the fault ${faults.join(', ')}`,
      '`kill` needs rig folder; `cut` needs rig model or disk; `poweroff` needs rig vm; `power-command` needs rig host',
    );
  }
  const wantsMounts =
    guestsWantMounts ||
    engines.some(({ rig }) => rig === 'disk') ||
    (engines.some(({ rig }) => rig === 'folder') &&
      targets.some((target) => target.kind === 'backend' && target.needsReflink));
  return { engines, targets, skipped, wantsMounts };
}

/** Without the planted bugs that none of these faults can show. */
function shownBy(targets: readonly Target[], faults: string[]): Target[] {
  return targets.filter(
    (target) => target.kind === 'command' || target.shownBy === undefined || faults.includes(target.shownBy),
  );
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

function unseenByKill(targets: Target[]): CampaignPlan['skipped'] {
  const seen = shownBy(targets, ['kill']);
  return targets
    .filter((target) => !seen.includes(target))
    .map(({ id }) => ({
      what: `${id} under kill`,
      reason: 'a kill cannot show this bug',
      remedy: 'use --fault cut',
    }));
}

function modelChoices(flags: RunFlags): { profiles: string[]; nested: number; memoryBytes: number } {
  const known = native.profiles().map(({ name }) => name);
  const profiles = pick('profile', flags.profile ?? [defaultModelOptions.profile], known);
  return {
    profiles,
    nested: flags.nested ?? defaultModelOptions.nested,
    memoryBytes: flags.memory ?? defaultModelOptions.memoryBytes,
  };
}

function chooseTargets(flags: RunFlags, config: Config): Target[] {
  const commands = commandTargets(flags, config);
  const named =
    flags.backend !== undefined ||
    flags.workload !== undefined ||
    flags.planted !== undefined ||
    flags.target === undefined;
  if (flags.setup !== undefined || (flags.target !== undefined && !(named && flags.backend !== undefined))) {
    return commands;
  }
  if (flags.input !== undefined && statSync(flags.input, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new UsageError(`there is no file ${flags.input}`, 'name a text file with --input');
  }
  const input = flags.input ?? config.input;
  const tracker = flags.tracker ?? config.tracker;
  if (tracker !== undefined && !['auto', 'pagemap', 'mprotect', 'compare'].includes(tracker)) {
    throw new UsageError(`there is no tracker "${tracker}"`, 'there are: auto, pagemap, mprotect, compare');
  }
  const narrowed = flags.backend !== undefined || flags.planted !== undefined;
  return [
    ...backendTargets({
      backends: flags.backend ?? config.backends,
      workloads: flags.workload ?? config.workloads,
      planted: flags.planted ?? config.planted,
      ...(tracker === undefined ? {} : { tracker }),
      ...(input === undefined ? {} : { input: path.resolve(input) }),
      controls: flags.controls && config.controls && !narrowed,
    }),
    ...(narrowed ? [] : commands),
  ];
}

function commandTargets(flags: RunFlags, config: Config): CommandTarget[] {
  if (flags.setup !== undefined && flags.run !== undefined && flags.check !== undefined) {
    const { setup, run, check } = flags;
    if (flags.recoverTwice !== undefined && !['bytes', 'state'].includes(flags.recoverTwice)) {
      throw new UsageError(`--recover-twice is bytes or state, not "${flags.recoverTwice}"`);
    }
    if (flags.promise !== undefined && !promises.includes(flags.promise)) {
      throw new UsageError(`--promise is ${promises.join(' or ')}, not "${flags.promise}"`);
    }
    return [
      commandTarget(flags.name ?? 'program', {
        setup,
        run,
        check,
        with: flags.with ?? [],
        ignore: flags.ignore ?? [],
        expect: 'hold',
        recoverTwice: flags.recoverTwice ?? 'state',
        promise: flags.promise ?? 'durable',
        ...(flags.timeout === undefined ? {} : { timeout: flags.timeout }),
      }),
    ];
  }
  const everything = Object.keys(config.targets);
  const wanted = flags.target === undefined || flags.target.join() === 'all' ? everything : flags.target;
  return wanted.map((name) => {
    const found = config.targets[name];
    if (found === undefined) {
      const all = Object.keys(config.targets);
      throw new UsageError(
        `there is no target "${name}" in the configuration`,
        all.length === 0 ? 'it defines none' : `there are: ${all.join(', ')}`,
      );
    }
    return commandTarget(name, found);
  });
}

function commandTarget(id: string, config: CommandTargetConfig): CommandTarget {
  for (const file of config.with) {
    if (!existsSync(file)) throw new UsageError(`there is no program ${file}`, 'check --with');
  }
  return {
    kind: 'command',
    id,
    setup: config.setup,
    run: config.run,
    check: config.check,
    with: config.with.map((file) => path.resolve(file)),
    ignore: config.ignore,
    expect: config.expect,
    recoverTwice: config.recoverTwice,
    promise: config.promise,
    limits: {
      timeMs: config.timeout ?? defaultCommandLimits.timeMs,
      memoryBytes: config.memoryBytes ?? defaultCommandLimits.memoryBytes,
    },
  };
}

function pick<T extends string>(kind: string, wanted: readonly string[], all: readonly T[]): T[] {
  if (wanted.length === 0) return [...all];
  return wanted.map((name) => {
    const found = all.find((one) => one === name);
    if (found === undefined)
      throw new UsageError(`there is no ${kind} "${name}"`, `there are: ${all.join(', ')}`);
    return found;
  });
}
