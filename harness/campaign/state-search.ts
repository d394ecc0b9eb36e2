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
import { minimize, type Minimized } from '../disk/minimize.js';
import type { Recording } from '../disk/recording.js';
import type { StateName, StateSource } from '../disk/state-source.js';
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
  /** Recovering a state twice must leave the same bytes. */
  sameBytes?: boolean;
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
/** Minimizing one of them ends after so long, and goes on for so long even if time is up. */
const minimizeMillis = 60_000;
const leastMinimizeMillis = 5_000;
/** Violations that did not come back and are told one by one. */
const maxDoubts = 3;

export class StateSearch {
  private findings = 0;
  private damages = 0;
  private doubts = 0;
  private deadline = Infinity;
  private map: Promise<DiskMap> | null = null;

  constructor(private readonly options: StateSearchOptions) {}

  async run(deadline: number, states: number | null): Promise<Explored> {
    const { context, target, seed, unit, exhaustive, sameBytes } = this.options;
    this.deadline = deadline;
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
        ...(sameBytes === undefined ? {} : { sameBytes }),
        states,
        deadline,
        exhaustive,
        stopping: () => context.stopping() || (target.expect === 'caught' && this.findings > 0),
        onViolation: (found, source) => this.violation(found, source),
        onDoubt: (found) => this.doubt(found),
        ...(this.options.onShown === undefined ? {} : { onShown: this.options.onShown }),
      });
      const [first] = sources;
      if (first !== undefined && explored.failure === undefined) {
        await this.options.afterwards?.(first).catch((error: unknown) => {
          explored.failure = error as Error;
        });
      }
      this.tell(explored);
      return explored;
    } finally {
      await Promise.allSettled(sources.map((source) => source.close()));
    }
  }

  /** What else a report must say of it. A failure of our own is counted beside what was found before it. */
  private tell(explored: Explored): void {
    const { context } = this.options;
    const { spared, failure, repaired = 0 } = explored;
    if ((spared?.contradicted ?? 0) > 0) {
      this.note(
        'states that agreed in all that was read had different outcomes; from then on every state was shown',
      );
    }
    if (repaired > 0) {
      this.note(
        `in ${repaired} states the file system could be mounted only after repair; the data were right`,
      );
    }
    if (this.doubts > maxDoubts) {
      this.note(`${this.doubts} violations in all did not come back when their states were shown again`);
    }
    if (failure === undefined || context.stopping()) return;
    explored.counts['harness-broken'] = (explored.counts['harness-broken'] ?? 0) + 1;
    this.note(failure.message);
  }

  private note(text: string): void {
    const { context, target, fsLabel } = this.options;
    context.emit({ type: 'note', level: 'warning', text: `${target.id} on ${fsLabel}: ${text}` });
  }

  private doubt({ judgement }: Violation): void {
    if (++this.doubts > maxDoubts) return;
    this.note(
      `a violation did not come back when its state was shown again, which counts as not measured: ${judgement.reason ?? ''}`,
    );
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
    const own = (await this.options.damage?.cause(found, source)) ?? null;
    if ((own === null ? this.findings : this.damages) >= maxFindings) return;
    if (own === null) this.findings++;
    else this.damages++;
    // Others may be found meanwhile.
    const number = this.findings + this.damages;
    const { context, target } = this.options;
    const now = performance.now();
    const until = Math.min(now + minimizeMillis, Math.max(this.deadline, now + leastMinimizeMillis));
    const stopping = (): boolean => context.stopping();
    const minimized = await minimize(found, source, { promise: promiseOf(target), until, stopping });
    await this.keep(number, found, minimized, source, own);
  }

  /** What cannot be had of the evidence does not take the finding with it. */
  private async keep(
    number: number,
    found: Violation,
    minimized: Minimized,
    source: StateSource,
    own: string | null,
  ): Promise<void> {
    const { context, recording, target, fault, rig, fsLabel, folder, seed, earlier } = this.options;
    const { verdict, reason, recovered } = minimized.judgement;
    if (!isViolation(verdict)) return;
    const state = { epoch: found.epoch.number, choices: choicesText(minimized.choices) };
    const missing: string[] = [];
    const attempt = async <T>(work: () => Promise<T>, otherwise: T): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        missing.push((error as Error).message);
        return otherwise;
      }
    };
    const since = performance.now();
    const afterCrash = path.join(folder, `after-crash-${number}`);
    let copied = '';
    let files: FolderLook = new Map();
    const before = (dir: string): void => {
      copied = copyFiles(dir, afterCrash);
      files = lookAt(dir);
    };
    const checks = await attempt(() => source.check(state, minimized.acked.last, 1, { before }), []);
    const check = checks.map(({ log }) => log).join('\n');
    const kernel = await attempt(() => this.options.kernelLog(performance.now() - since, source), '');
    const mustHold = verdict === 'phantom' ? minimized.acked.first : minimized.acked.last;
    const losses = recording.looks === undefined ? [] : filesAfterCut(recording.looks, mustHold, files);
    const epochs = this.options.trace.epochs.filter((one) => one.number < found.epoch.number);
    const { text, timeline } = await attempt(
      async () => {
        this.map ??= DiskMap.of(recording);
        return explainState(await this.map, found.epoch, minimized.choices, epochs.slice(-epochsInPicture));
      },
      { text: 'what was lost could not be named', timeline: [] },
    );
    const whose = own === null ? '' : `the file system's own, not the target's (${own}): `;
    const cut =
      earlier === undefined ? text : `the power was cut again during recovery; ${text}; ${earlier.text}`;
    const least = minimized.complete ? '' : '; not fully minimized';
    const said = [reason ?? '', ...lossesText(losses), cut].join('; ');
    const explanation = `${whose}${verdict}: ${said}${least}`;
    const bundle = await attempt(() => this.bundle(number, source, state, minimized, explanation), null);
    if (missing.length > 0) this.note(`some of a finding's evidence is missing: ${missing.join('; ')}`);
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
        check,
        copy: copied,
        repair: minimized.repair,
        kernel,
      },
      timeline: [...(earlier?.timeline ?? []), ...withLosses(timeline, losses, mustHold)],
      ...(bundle === null ? {} : { bundle }),
    });
  }

  private async bundle(
    number: number,
    source: StateSource,
    state: StateName,
    { acked, judgement, recoveries }: Minimized,
    explanation: string,
  ): Promise<string> {
    const { folder, fs, where, target, seed } = this.options;
    const file = path.join(folder, `state-${number}.plugpull`);
    const saved = path.join(folder, `state-${number}`);
    await source.save(state, saved);
    const { name, type, options } = fs;
    const { verdict } = judgement;
    const manifest = { target, seed, fs: { name, type, options }, acked, recoveries, verdict, explanation };
    writeDiskBundle(file, { schema: diskStateSchema, version, ...manifest, ...where }, saved);
    rmSync(saved);
    return file;
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
