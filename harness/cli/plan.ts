/** From flags and configuration to the engines of a campaign; what cannot be done here is named. */
import type { Engine, Wanted } from '../campaign/context.js';
import { KillEngine, sweepChoices } from '../campaign/kill-engine.js';
import { ModelEngine } from '../campaign/model-engine.js';
import { faultNames, rigNames, type Config } from '../config/schema.js';
import { UsageError } from '../core/errors.js';
import type { Target } from '../core/target.js';
import { defaultModelOptions, notInModel } from '../explore/model-jobs.js';
import { native } from '../../native/index.js';
import { checkUsable } from '../rigs/folder.js';
import type { CampaignPlan } from './campaign-plan.js';
import { requireHeeded, requireTogether, withConfig, type RunFlags } from './flags.js';
import { pick } from './pick.js';
import { planDisk } from './plan-disk.js';
import { hostEngine, wantsHost } from './plan-host.js';
import { powerOffEngine } from './plan-poweroff.js';
import { chooseTargets, shownBy } from './plan-targets.js';

export function planCampaign(asked: RunFlags, config: Config): CampaignPlan {
  requireTogether(asked);
  if (asked.dir !== undefined) checkUsable(asked.dir);
  const flags = withConfig(asked, config);
  // Whoever names a machine means it.
  const onHost = asked.host !== undefined && asked.fault === undefined && asked.rig === undefined;
  const faults = pick('fault', onHost ? ['power-command'] : (flags.fault ?? []), faultNames);
  const rigs = pick('rig', onHost ? ['host'] : (flags.rig ?? []), rigNames);
  const named = [...(flags.fault ?? []), ...(flags.rig ?? [])];
  const targets = chooseTargets(flags, config);
  const skipped: CampaignPlan['skipped'] = [];
  const wanted: Wanted[] = [];
  const engines: Engine[] = [];
  const add = (engine: Engine, isNamed: boolean): void => {
    engines.push(engine);
    wanted.push({ fault: engine.fault, rig: engine.rig, named: isNamed });
  };
  if (faults.includes('kill') && rigs.includes('folder')) {
    const [sweep = 'first'] = pick('sweep', [flags.sweep ?? 'first'], sweepChoices);
    add(
      new KillEngine(shownBy(targets, ['kill']), sweep),
      named.includes('kill') || named.includes('folder'),
    );
    // Those that were asked for by name are missed by name.
    if (flags.planted !== undefined) skipped.push(...unseenByKill(targets));
  }
  const heaps = targets.filter(({ kind }) => kind === 'backend');
  if (faults.includes('cut') && rigs.includes('model')) {
    if (heaps.length > 0) {
      add(modelEngine(flags, heaps), named.includes('model') || named.includes('cut'));
    } else if (flags.rig?.includes('model') === true) {
      throw new UsageError(`rig model: ${notInModel.reason}`, notInModel.remedy);
    }
  }
  let mounts = false;
  let diskMeant = false;
  if (faults.includes('cut') && rigs.includes('disk')) {
    const disk = planDisk(flags, targets);
    engines.push(...disk.engines);
    skipped.push(...disk.skipped);
    wanted.push(...disk.wanted);
    mounts = disk.engines.length > 0;
    diskMeant = mounts || disk.skipped.length > 0;
  }
  // A guest takes seconds for each trial: only when asked for.
  if (
    faults.includes('poweroff') &&
    rigs.includes('vm') &&
    (named.includes('poweroff') || named.includes('vm'))
  ) {
    const { engine, wantsMounts } = powerOffEngine(flags, targets, shownBy(targets, ['kill']));
    add(engine, true);
    mounts ||= wantsMounts;
  }
  if (faults.includes('power-command') && rigs.includes('host') && wantsHost(flags, named)) {
    add(hostEngine(flags, shownBy(targets, ['kill', 'cut'])), true);
  }
  if (engines.length === 0) {
    throw new UsageError(
      `no rig among ${rigs.join(', ')} can do the fault ${faults.join(', ')}`,
      '`kill` needs rig folder; `cut` needs rig model or disk; `poweroff` needs rig vm; `power-command` needs rig host',
    );
  }
  requireHeeded(asked, [...new Set([...engines.map(({ rig }) => rig), ...(diskMeant ? ['disk'] : [])])]);
  const wantsMounts =
    mounts ||
    (engines.some(({ rig }) => rig === 'folder') &&
      targets.some((target) => target.kind === 'backend' && target.needsReflink));
  return { engines, targets, skipped, wanted, wantsMounts };
}

function modelEngine(flags: RunFlags, heaps: readonly Target[]): ModelEngine {
  const known = native.profiles().map(({ name }) => name);
  return new ModelEngine(shownBy(heaps, ['kill', 'cut']), {
    profiles: pick('profile', flags.profile ?? [defaultModelOptions.profile], known),
    nested: flags.nested ?? defaultModelOptions.nested,
    memoryBytes: flags.memory ?? defaultModelOptions.memoryBytes,
    commits: flags.commits ?? defaultModelOptions.commits,
    maxStates: flags.states ?? defaultModelOptions.maxStates,
    exhaustive: flags.exhaustive ?? false,
  });
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
