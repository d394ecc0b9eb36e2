/** Explores the crash states of one recording with several sources in parallel. */
import type { DurabilityPromise } from '../core/target.js';
import type { Verdict } from '../core/verdict.js';
import { isViolation } from '../core/verdict.js';
import type { Judgement } from '../oracle/judge.js';
import type { SubjectCheck } from '../subjects/subject.js';
import {
  boundaries,
  choicesText,
  everything,
  maxExhaustive,
  prefixes,
  randomRounds,
  singles,
  subsets,
  tears,
  type Batch,
  type Choices,
} from './enumerate.js';
import type { StateSource } from './state-source.js';
import type { Epoch } from './trace-index.js';
import { ackedRange, judgeState, type AckedRange } from './verdict.js';

export interface ExplorationOptions {
  epochs: readonly Epoch[];
  sources: readonly StateSource[];
  seed: number;
  unit: number;
  /** The check is told the acked commit, so its outcome depends on more than the content. */
  checkKnowsAcked: boolean;
  /** What the target promises of acked commits. */
  promise?: DurabilityPromise;
  /** At most so many states; null: until time or states are used up. */
  states: number | null;
  /** performance.now() at which no new state begins. */
  deadline: number;
  exhaustive: boolean;
  stopping: () => boolean;
  /** Called for every violation, one at a time for each source, which shows nothing meanwhile. */
  onViolation: (found: Violation, source: StateSource) => Promise<void>;
}

export interface Violation {
  epoch: Epoch;
  choices: Choices;
  acked: AckedRange;
  judgement: Judgement;
  checks: readonly SubjectCheck[];
}

export interface Explored {
  /** Distinct crash states that were judged: by content, and by what was acked. */
  states: number;
  /** Distinct contents that were mounted, recovered and checked. */
  checked: number;
  counts: Partial<Record<Verdict, number>>;
  /** All subsets of whole pending writes, not deduplicated; null: more than can be counted. */
  of: number | null;
  exhaustive: boolean;
  /** By the step of the target's protocol after which the crash fell. */
  bySteps: Record<string, number>;
  reasons: Map<Verdict, string>;
  /** States that held without the newest acked commits, as the target's promise allows, and how many were gone at most. */
  allowedLoss: { states: number; most: number };
  millis: number;
}

/** Digests are asked for so many states at once. */
const atOnce = 64;
/** Every n-th state is recovered twice. */
const twiceEvery = 8;
/** So many batches of random states in a row that bring nothing new: all is seen that chance will find. */
const staleBatches = 300;

export async function explore(options: ExplorationOptions): Promise<Explored> {
  return new Exploration(options).run();
}

interface Known {
  checks: readonly SubjectCheck[];
  judged: Set<string>;
}

class Exploration {
  private readonly started = performance.now();
  private readonly known = new Map<string, Known | null>();
  private readonly explored: Explored;
  private stale = 0;
  private complete = true;

  constructor(private readonly options: ExplorationOptions) {
    const { epochs } = options;
    this.explored = {
      states: 0,
      checked: 0,
      counts: {},
      of: subsets(epochs),
      exhaustive: false,
      bySteps: {},
      reasons: new Map(),
      allowedLoss: { states: 0, most: 0 },
      millis: 0,
    };
  }

  async run(): Promise<Explored> {
    const { epochs, exhaustive } = this.options;
    await this.pass(boundaries(epochs));
    await this.pass(singles(epochs));
    await this.pass(prefixes(epochs));
    await this.pass(tears(epochs, this.options.unit));
    const small = epochs.every(({ pending }) => pending.length <= maxExhaustive);
    const few =
      small && (this.explored.of ?? Infinity) <= (exhaustive ? Infinity : (this.options.states ?? 20_000));
    if (few) {
      this.complete = true;
      await this.pass(everything(epochs));
      this.explored.exhaustive = this.wasComplete() && !this.over();
    }
    if (!(exhaustive && this.explored.exhaustive)) {
      await this.pass(randomRounds(epochs, this.options.seed, this.options.unit));
    }
    this.explored.millis = performance.now() - this.started;
    return this.explored;
  }

  /** Has every state since `complete` was set been looked at? */
  private wasComplete(): boolean {
    return this.complete;
  }

  private over(): boolean {
    const { deadline, states, stopping } = this.options;
    return stopping() || performance.now() >= deadline || (states !== null && this.explored.states >= states);
  }

  private async pass(batches: Generator<Batch>): Promise<void> {
    this.stale = 0;
    await Promise.all(
      this.options.sources.map(async (source) => {
        for (;;) {
          if (this.over()) {
            this.complete = false;
            return;
          }
          if (this.stale > staleBatches) return;
          const next = batches.next();
          if (next.done === true) return;
          for (let first = 0; first < next.value.choices.length; first += atOnce) {
            const { epoch, choices } = next.value;

            await this.batch(source, epoch, choices.slice(first, first + atOnce));
          }
        }
      }),
    );
  }

  private async batch(source: StateSource, epoch: Epoch, choices: Choices[]): Promise<void> {
    const texts = choices.map(choicesText);
    const digests = await source.digests(epoch.number, texts);
    let fresh = false;
    for (const [i, digest] of digests.entries()) {
      const one = choices[i];
      const text = texts[i];
      if (one === undefined || text === undefined) continue;
      const acked = ackedRange(epoch, one);
      const key = this.options.checkKnowsAcked ? `${digest} ${acked.last}` : digest;
      let known = this.known.get(key);
      if (known === undefined) {
        if (this.over()) {
          this.complete = false;
          return;
        }
        this.known.set(key, null); // another source need not look at it meanwhile
        const times = this.explored.checked % twiceEvery === 0 ? 2 : 1;
        const state = { epoch: epoch.number, choices: text };
        const checks = await source.check(state, acked.last, times);
        known = { checks, judged: new Set() };
        this.known.set(key, known);
        this.explored.checked++;
        fresh = true;
      }
      if (known === null) continue;
      const range = `${acked.first} ${acked.last}`;
      if (known.judged.has(range)) continue;
      known.judged.add(range);
      await this.judged(
        {
          epoch,
          choices: one,
          acked,
          judgement: judgeState(acked, known.checks, this.options.promise),
          checks: known.checks,
        },
        source,
      );
    }
    this.stale = fresh ? 0 : this.stale + 1;
  }

  private async judged(found: Violation, source: StateSource): Promise<void> {
    const { explored } = this;
    const { verdict, reason, allowedLoss = 0 } = found.judgement;
    if (allowedLoss > 0) {
      const { states, most } = explored.allowedLoss;
      explored.allowedLoss = { states: states + 1, most: Math.max(most, allowedLoss) };
    }
    const { step } = found.epoch;
    explored.states++;
    explored.counts[verdict] = (explored.counts[verdict] ?? 0) + 1;
    if (step !== null) explored.bySteps[step] = (explored.bySteps[step] ?? 0) + 1;
    if (reason !== undefined && !explored.reasons.has(verdict)) explored.reasons.set(verdict, reason);
    if (isViolation(verdict)) await this.options.onViolation(found, source);
  }
}
