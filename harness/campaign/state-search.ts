/** The exploration of one recording, with its findings: the same for every rig whose crash states are those of a disk. */
import { cpSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { CrashPlan, FaultName, TimelineEntry } from '../core/events.js';
import { promiseOf, type Target } from '../core/target.js';
import { isViolation } from '../core/verdict.js';
import { version } from '../core/version.js';
import { diskStateSchema, writeDiskBundle, type DiskState } from '../disk/bundle.js';
import { choicesText } from '../disk/enumerate.js';
import { filesAfterCut, lossesText, withLosses } from '../disk/after-cut.js';
import { DiskMap, explainState } from '../disk/explain.js';
import { explore, type Explored, type Shown, type Violation } from '../disk/exploration.js';
import type { FileSystem } from '../disk/file-systems.js';
import { lookAt, type FolderLook } from '../disk/folder-look.js';
import { minimize } from '../disk/minimize.js';
import type { Recording } from '../disk/recording.js';
import { tryRepair } from '../disk/repair.js';
import { unmountable, type StateSource } from '../disk/state-source.js';
import type { TraceIndex } from '../disk/trace-index.js';
import type { CampaignContext } from './context.js';
import type { OwnDamage } from './own-damage.js';

export interface StateSearchOptions {
  context: CampaignContext;
  fault: FaultName;
  rig: string;
  target: Target;
  fs: FileSystem;
  /** What the file system is called in the run's events. */
  fsLabel: string;
  /** Of the job, in the campaign. */
  index: number;
  seed: number;
  /** Bytes that a write can be torn at. */
  unit: number;
  exhaustive: boolean;
  recording: Recording;
  trace: TraceIndex;
  /** For files of findings; it outlives the search until they are moved away. */
  folder: string;
  /** Opens the sources of states, one after the other. */
  open: () => AsyncIterable<StateSource>;
  /** What the kernel that mounted the states said in the last milliseconds. */
  kernelLog: (millis: number, source: StateSource) => Promise<string>;
  /** Tells the file system's own breakage apart; none: all violations are the target's. */
  damage?: OwnDamage;
  /** The guest that mounts the states; none: this machine does. */
  where?: Pick<DiskState, 'kernel' | 'guest'>;
  /** Further logs of every finding. */
  logs?: Record<string, string>;
  /** Of a recovery: the cuts that it recovers from. */
  earlier?: EarlierCut;
  /** Called for each state that was shown and held. */
  onShown?: (shown: Shown) => void;
  /** Called after the exploration, while the sources are still open. */
  afterwards?: (source: StateSource) => Promise<void>;
}

/** One power cut or several, before that of the states that are searched. */
export interface EarlierCut {
  /** In the order in which they happened. */
  plans: readonly CrashPlan[];
  /** What they left, for a person. */
  text: string;
  timeline: readonly TimelineEntry[];
}

/** Before that of the cut: what was flushed last is in the picture of a finding. */
const epochsInPicture = 8;
/** Findings of one target on one file system that are minimized and kept. */
const maxFindings = 3;

export class StateSearch {
  private findings = 0;
  private damages = 0;
  private map: Promise<DiskMap> | null = null;

  constructor(private readonly options: StateSearchOptions) {}

  async run(deadline: number, states: number | null): Promise<Explored> {
    const { context, target, seed, unit, exhaustive } = this.options;
    const sources: StateSource[] = [];
    try {
      for await (const source of this.options.open()) sources.push(source);
      const explored = await explore({
        epochs: this.epochs(),
        sources,
        seed,
        unit,
        checkKnowsAcked: target.kind === 'command',
        promise: promiseOf(target),
        states,
        deadline,
        exhaustive,
        stopping: () => context.stopping() || (target.expect === 'caught' && this.findings > 0),
        onViolation: (found, source) => this.violation(found, source),
        ...(this.options.onShown === undefined ? {} : { onShown: this.options.onShown }),
      });
      const [first] = sources;
      if (first !== undefined) await this.options.afterwards?.(first);
      if ((explored.spared?.contradicted ?? 0) > 0) {
        const text = `${target.id} on ${this.options.fsLabel}: states that agreed in all that was read had different outcomes; from then on every state was shown`;
        context.emit({ type: 'note', level: 'warning', text });
      }
      return explored;
    } finally {
      await Promise.all(sources.map((source) => source.close()));
    }
  }

  /** This shard's epochs. Only a backend promises something before its commit 0 is done. */
  private epochs(): TraceIndex['epochs'] {
    const { context, target, trace, earlier } = this.options;
    // A recovery belongs to the state that it recovers from.
    const { index, of } = earlier === undefined ? context.shard : { index: 1, of: 1 };
    return trace.epochs.filter(
      ({ number, ackedFirst }) => number % of === index - 1 && (target.kind === 'backend' || ackedFirst >= 0),
    );
  }

  /** Minimizes, explains and keeps a violation. Only the first few of a target are. */
  async violation(found: Violation, source: StateSource): Promise<void> {
    const { context, recording, target, fs, fault, rig, fsLabel, folder, seed, where } = this.options;
    const own = (await this.options.damage?.cause(found, source)) ?? null;
    if ((own === null ? this.findings : this.damages) >= maxFindings) return;
    if (own === null) this.findings++;
    else this.damages++;
    const number = this.findings + this.damages;
    const { earlier } = this.options;
    const minimized = await minimize(found, source, promiseOf(target));
    if (minimized.flaky) {
      context.emit({
        type: 'note',
        level: 'warning',
        text: `${target.id} on ${fsLabel}: a violation did not come back when its state was shown again: ${found.judgement.reason ?? ''}`,
      });
    }
    const state = { epoch: found.epoch.number, choices: choicesText(minimized.choices) };
    const { verdict, reason, recovered } = minimized.judgement;
    if (!isViolation(verdict)) return;
    const afterCrash = path.join(folder, `after-crash-${number}`);
    const since = performance.now();
    let copied = '';
    let files: FolderLook = new Map();
    await source.check(state, minimized.acked.last, 1, (dir) => {
      copied = copyFiles(dir, afterCrash);
      files = lookAt(dir);
    });
    const { acked } = minimized;
    const mustHold = verdict === 'phantom' ? acked.first : acked.last;
    const losses = recording.looks === undefined ? [] : filesAfterCut(recording.looks, mustHold, files);
    this.map ??= DiskMap.of(recording);
    const before = this.options.trace.epochs.filter(({ number }) => number < found.epoch.number);
    const { text, timeline } = explainState(
      await this.map,
      found.epoch,
      minimized.choices,
      before.slice(-epochsInPicture),
    );
    const whose = own === null ? '' : `the file system's own, not the target's (${own}): `;
    const cut =
      earlier === undefined ? text : `the power was cut again during recovery; ${text}; ${earlier.text}`;
    const explanation = `${whose}${verdict}: ${[reason ?? '', ...lossesText(losses), cut].join('; ')}`;
    const bundle = path.join(folder, `state-${number}.plugpull`);
    const saved = path.join(folder, `state-${number}`);
    await source.save(state, saved);
    const { name, type, options } = fs;
    const manifest = { target, seed, fs: { name, type, options }, acked, verdict, explanation };
    writeDiskBundle(bundle, { schema: diskStateSchema, version, ...manifest, ...where }, saved);
    const repair = reason?.startsWith(unmountable) === true ? await tryRepair(fs, saved) : '';
    rmSync(saved);
    context.addFinding({
      trial: this.options.index,
      target: own === null ? target : { ...target, id: this.options.damage?.id ?? target.id },
      fault,
      rig,
      fs: fsLabel,
      verdict,
      seed,
      plan: planOf(earlier?.plans ?? [], `${state.epoch}/${state.choices}`),
      acked: mustHold,
      recovered,
      explanation,
      afterCrash: existsSync(afterCrash) ? afterCrash : null,
      logs: {
        ...this.options.logs,
        run: recording.log,
        copy: copied,
        repair,
        kernel: await this.options.kernelLog(performance.now() - since, source),
      },
      timeline: [...(earlier?.timeline ?? []), ...withLosses(timeline, losses, mustHold)],
      bundle,
    });
  }
}

/** @param choices the last cut's */
function planOf(earlier: readonly CrashPlan[], choices: string): CrashPlan {
  const last: CrashPlan = { mode: 'state', phase: earlier.length === 0 ? 'run' : 'recover', choices };
  return earlier.reduceRight((then, plan) => ({ ...plan, then }), last);
}

/** Copies what can be read; gives why the rest could not be, which is a finding about the file system. */
function copyFiles(from: string, to: string): string {
  if (!existsSync(from)) return '';
  try {
    cpSync(from, to, { recursive: true, preserveTimestamps: true });
    return '';
  } catch (error) {
    rmSync(to, { recursive: true, force: true });
    return `the files could not be copied: ${(error as Error).message}`;
  }
}
