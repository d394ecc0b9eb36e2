/** Fault `power-command` on rig `host`: a real machine over ssh loses its power, again and again. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { violationsIn } from '../core/counts.js';
import { PlugpullError, storageError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import type { TrialEnded } from '../core/events.js';
import { trialSeed } from '../core/seed.js';
import { summarize, type Target } from '../core/target.js';
import { isViolation } from '../core/verdict.js';
import { drawPowerCut } from '../faults/power.js';
import { quote } from '../host/connection.js';
import { HostError } from '../host/error.js';
import { canClone, type HostFacts, type Mount, shell } from '../host/facts.js';
import { Machine } from '../host/machine.js';
import type { HostOptions } from '../host/options.js';
import { Place, placeIn } from '../host/place.js';
import { runHostTrial, type HostOutcome } from '../host/trial.js';
import type { Judgement } from '../oracle/judge.js';
import type { Budget, CampaignContext, Engine, Shard } from './context.js';

/** Trials in a row that measured nothing, of one target, after which it is left alone; and of all, after which we give up. */
const hopeless = 10;
const patience = 4;
/** Cuts that a control gets before it is given up. */
const controlTrials = 60;
/** Cuts after which it should have been seen that what nobody flushed is gone. */
const enoughCuts = 3;
const evidenceBytes = 256 * 1024 ** 2;

/** In the run directory: what the folder lies on, so that the rest of the run torments no other file system. */
const mountFile = 'host-mount.json';

export const defaultHostCommits = 40_000;

/** What all trials of a run share. */
interface Rig {
  context: CampaignContext;
  machine: Machine;
  place: Place;
  fs: string;
  /** For evidence that is brought here. */
  folder: string;
}

export class HostEngine implements Engine {
  readonly fault = 'power-command';
  readonly rig = 'host';
  private unflushed = { lost: 0, kept: 0 };

  constructor(
    private readonly targets: readonly Target[],
    private readonly options: HostOptions,
    private readonly commits: number,
  ) {}

  async run(context: CampaignContext, budget: Budget, firstIndex: number): Promise<number> {
    const deadline = budget.millis === null ? Infinity : performance.now() + budget.millis;
    const note = (text: string): void => context.emit({ type: 'note', level: 'info', text });
    const seenMount = path.join(context.runFolder, mountFile);
    const machine = new Machine(this.options, note, readMount(seenMount));
    const place = new Place(placeIn(this.options.remoteDir));
    const folder = mkdtempSync(path.join(context.workFolder, 'host-'));
    try {
      const { facts } = await machine.up();
      writeMount(seenMount, facts.mount);
      note(describe(machine.name, facts));
      const targets = this.start(context, facts);
      const { fs } = facts.mount;
      try {
        const last = budget.trials === null ? Infinity : firstIndex + budget.trials;
        return await this.torture(
          { context, machine, place, fs, folder },
          targets,
          deadline,
          firstIndex,
          last,
        );
      } finally {
        this.end(context, targets, fs);
      }
    } finally {
      await this.tidy(machine, place);
      machine.leave();
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Announces the targets; leaves out by name what cannot be done there. */
  private start(context: CampaignContext, facts: HostFacts): Target[] {
    return this.targets.filter((target) => {
      const why = whyNotThere(target, facts);
      if (why !== null) {
        context.emit({ type: 'skipped', what: `${target.id} under power-command`, ...why });
        return false;
      }
      const summary = { ...summarize(target, this.fault, this.rig), fs: facts.mount.fs };
      // No cut is aimed at a step, or known to have fallen at one.
      delete summary.steps;
      context.emit({ type: 'target-started', target: summary });
      return true;
    });
  }

  private async torture(
    rig: Rig,
    targets: Target[],
    deadline: number,
    firstIndex: number,
    last: number,
  ): Promise<number> {
    const { context, fs } = rig;
    let index = firstIndex;
    let inVain = 0;
    while (performance.now() < deadline && !context.stopping()) {
      const open = targets.map((target) => !this.settled(context, target, fs));
      const next = nextTrial(open, context.shard, context.done, index);
      const target = targets[next % targets.length];
      if (target === undefined || next >= last) break;
      const { judgement, failure } = await this.trial(rig, target, next);
      index = next + 1;
      if (failure !== null) throw failure;
      const broken = judgement.verdict === 'harness-broken';
      inVain = broken || judgement.verdict === 'not-measured' ? inVain + 1 : 0;
      if (inVain >= patience) throw tooOften(inVain, judgement);
    }
    return index;
  }

  private settled(context: CampaignContext, target: Target, fs: string): boolean {
    const { counts } = context.tally.of(target.id, this.fault, this.rig, fs);
    const violated = violationsIn(counts) > 0;
    if (target.expect === 'caught' && (violated || counts.held >= controlTrials)) return true;
    return counts['not-measured'] >= hopeless && counts.held === 0 && !violated;
  }

  private async trial(rig: Rig, target: Target, index: number): Promise<HostOutcome> {
    const { context, machine, place, fs, folder } = rig;
    const seed = trialSeed(context.seed, index);
    const plan = drawPowerCut(seed);
    const outcome = await runHostTrial(machine, place, { target, seed, plan, commits: this.commits });
    const { judgement, acked, millis } = outcome;
    if (outcome.unflushedLost !== null) this.unflushed[outcome.unflushedLost ? 'lost' : 'kept']++;
    const ended: TrialEnded = {
      type: 'trial',
      index,
      target: target.id,
      fault: this.fault,
      rig: this.rig,
      fs,
      seed,
      plan,
      verdict: judgement.verdict,
      ...(judgement.reason === undefined ? {} : { reason: judgement.reason }),
      acked,
      recovered: judgement.recovered,
      millis: {
        run: Math.round(millis.run),
        recover: Math.round(millis.recover),
        total: Math.round(millis.total),
      },
    };
    const { verdict } = ended;
    if (!isViolation(verdict)) {
      context.emit(ended);
    } else {
      // Brought here first: no violation is told without what shows it.
      const { kernel, afterCrash } = await this.evidence(
        machine,
        outcome,
        path.join(folder, `trial-${index}`),
      );
      context.emit(ended);
      context.addFinding({
        trial: index,
        target,
        fault: this.fault,
        rig: this.rig,
        fs,
        verdict,
        seed,
        plan,
        acked,
        recovered: judgement.recovered,
        explanation: `${verdict}: the power was cut on ${machine.name}; ${judgement.reason ?? ''}`,
        afterCrash,
        logs: {
          run: outcome.logs.run,
          check: outcome.logs.checks.join('\n'),
          power: outcome.logs.power,
          kernel,
        },
      });
    }
    return outcome;
  }

  /** What the cut left, and what the kernel said; as far as the machine still gives it. */
  private async evidence(
    machine: Machine,
    outcome: HostOutcome,
    folder: string,
  ): Promise<{ kernel: string; afterCrash: string | null }> {
    let kernel = '';
    try {
      const { agent, connection } = await machine.up();
      kernel = (await agent.call('kernelLog', {})).text;
      if (outcome.afterCrash === null) return { kernel, afterCrash: null };
      const packed = await connection.exec(shell(`tar -C ${quote(outcome.afterCrash)} -czSf - .`), {
        timeoutMillis: 5 * 60_000,
        maxBytes: evidenceBytes,
      });
      mkdirSync(folder);
      await execa('tar', ['-xzf', '-', '-C', folder, '--no-same-owner'], { input: packed.stdout });
      return { kernel, afterCrash: folder };
    } catch (error) {
      return { kernel: `${kernel}\nthe rest is missing: ${(error as Error).message}`, afterCrash: null };
    }
  }

  private end(context: CampaignContext, targets: Target[], fs: string): void {
    const { lost, kept } = this.unflushed;
    const cuts = lost + kept;
    if (cuts > 0) {
      const blind = lost === 0 && cuts >= enoughCuts;
      context.emit({
        type: 'note',
        level: blind ? 'warning' : 'info',
        text:
          `a file that nobody had flushed was gone after ${lost} of ${cuts} cuts` +
          (blind ? ': does the power command really cut the power, or does it shut the machine down?' : ''),
      });
    }
    for (const target of targets) {
      const { counts } = context.tally.of(target.id, this.fault, this.rig, fs);
      context.emit({
        type: 'target-ended',
        target: target.id,
        fault: this.fault,
        rig: this.rig,
        fs,
        counts,
      });
    }
  }

  /** Leaves nothing of the targets behind, where the machine can still be reached. */
  private async tidy(machine: Machine, place: Place): Promise<void> {
    const session = machine.current;
    if (session !== null) await place.remove(session.connection).catch(() => undefined);
  }
}

/**
 * Index of the next trial: this shard's, not done yet, and of a target that is open; targets take turns. Infinity: there
 * is none, for this shard may see only some of the targets.
 * @param open for each target
 */
export function nextTrial(
  open: readonly boolean[],
  { index: shard, of }: Shard,
  done: ReadonlySet<number>,
  from: number,
): number {
  // After so many, shard and target come round again.
  const round = open.length * of;
  for (let index = from, left = round; left > 0; index++) {
    if (done.has(index)) continue;
    left--;
    if (index % of === shard - 1 && open[index % open.length] === true) return index;
  }
  return Infinity;
}

function tooOften(times: number, { verdict, reason = '' }: Judgement): PlugpullError {
  const what = `${times} trials in a row measured nothing: ${reason}`;
  const remedy = 'see docs/real-machines.md; go on by `run --resume` when it is mended';
  return verdict === 'harness-broken'
    ? new PlugpullError(what, exitCodes.ownFailure, remedy)
    : new HostError('unfit', what, remedy);
}

/** As an earlier part of the run has left it; null: there is none, or none that was written to its end. */
function readMount(file: string): Mount | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Mount;
  } catch {
    return null;
  }
}

function writeMount(file: string, mount: Mount): void {
  try {
    writeFileSync(file, JSON.stringify(mount));
  } catch (error) {
    throw storageError(error, file);
  }
}

function whyNotThere(target: Target, facts: HostFacts): { reason: string; remedy?: string } | null {
  if (target.kind === 'command') return null;
  if (target.needsReflink && !canClone(facts)) {
    return { reason: `${facts.mount.fs} cannot clone files`, remedy: 'try it on xfs or btrfs' };
  }
  if (target.workloadModule !== undefined) {
    return { reason: 'a workload module of your own cannot be brought to a machine' };
  }
  return null;
}

function describe(name: string, { kernel, machine, distribution, mount }: HostFacts): string {
  const system = distribution === '' ? '' : `, ${distribution}`;
  return `${name}: ${machine}, kernel ${kernel}${system}; ${mount.fs} on ${mount.source} (${mount.options})`;
}
