/** From flags and configuration to the targets of a campaign. */
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { backendTargets } from '../campaign/targets.js';
import type { CommandTargetConfig, Config } from '../config/schema.js';
import { UsageError } from '../core/errors.js';
import { defaultCommandLimits, promises, type CommandTarget, type Target } from '../core/target.js';
import type { RunFlags } from './flags.js';

export function chooseTargets(flags: RunFlags, config: Config): Target[] {
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
  // Who lists programs of their own, and no heaps, means those programs.
  const heaps = [...config.backends, ...config.workloads, ...config.planted].length > 0;
  if (commands.length > 0 && !heaps && !narrowed && flags.workload === undefined) return commands;
  return [
    ...backendTargets({
      backends: flags.backend ?? config.backends,
      workloads: flags.workload ?? config.workloads,
      planted: flags.planted ?? config.planted,
      ...(tracker === undefined ? {} : { tracker }),
      ...(input === undefined ? {} : { input: path.resolve(input) }),
      controls: flags.controls && config.controls && !narrowed,
    }),
    ...(narrowed || flags.workload !== undefined ? [] : commands),
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

/** Without the planted bugs that none of these faults can show. */
export function shownBy(targets: readonly Target[], faults: string[]): Target[] {
  return targets.filter(
    (target) => target.kind === 'command' || target.shownBy === undefined || faults.includes(target.shownBy),
  );
}
