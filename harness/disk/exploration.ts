/** Explores the crash states of one recording with several sources in parallel. */
import { inParallel } from '../core/parallel.js';
import {
  boundaries,
  byWorth,
  everything,
  maxExhaustive,
  prefixes,
  randomRounds,
  singles,
  tears,
  type Batch,
  type Choices,
} from './enumerate.js';
import type { ExplorationOptions, Explored } from './explored.js';
import type { StateSource } from './state-source.js';
import type { Epoch } from './trace-index.js';
import { TreeSearch } from './tree-search.js';
import { ackedRange } from './verdict.js';
import { Visitor } from './visitor.js';

export type { ExplorationOptions, Explored, Shown, Spared, Violation } from './explored.js';

/** Digests are asked for so many states at once. */
const atOnce = 64;
/** So many batches of random states in a row that bring nothing new: all is seen that chance will find. */
const staleBatches = 300;
/** Of what is left of states and time where not all is asked for, what the trees may take; random states get the rest. */
const treesShare = 2 / 3;
export async function explore(options: ExplorationOptions): Promise<Explored> {
  return new Exploration(options).run();
}

class Exploration {
  private readonly started = performance.now();
  private readonly visitor: Visitor;
  private stale = 0;
  private complete = true;

  constructor(private readonly options: ExplorationOptions) {
    this.visitor = new Visitor(options);
  }

  async run(): Promise<Explored> {
    const { explored, spared } = this.visitor;
    try {
      await this.search();
    } catch (error) {
      // What is known already is worth more than that the rest is not.
      explored.failure = error as Error;
      explored.exhaustive = false;
    }
    if (spared.contradicted > 0) explored.exhaustive = false;
    if (this.seesReads) explored.spared = spared;
    explored.millis = performance.now() - this.started;
    return explored;
  }

  private get seesReads(): boolean {
    return this.options.sources.every(({ reads }) => reads);
  }

  private async search(): Promise<void> {
    const { epochs, exhaustive } = this.options;
    if (this.options.onlySubsets !== true) {
      const sorted = byWorth(epochs);
      await this.pass(boundaries(sorted));
      await this.pass(singles(sorted));
      await this.pass(prefixes(sorted));
      await this.pass(tears(sorted, this.options.unit));
    }
    if (this.seesReads) {
      await this.subsetsAsTrees();
    } else {
      await this.subsetsOneByOne();
    }
    if (!(exhaustive && this.visitor.explored.exhaustive)) {
      await this.pass(randomRounds(epochs, this.options.seed, this.options.unit), staleBatches);
    }
  }

  private async subsetsAsTrees(): Promise<void> {
    const { visitor } = this;
    const all = visitor.limit;
    if (!this.options.exhaustive) {
      const part = (from: number, to: number): number => from + (to - from) * treesShare;
      visitor.limit = {
        states: part(visitor.explored.states, all.states),
        deadline: part(performance.now(), all.deadline),
      };
    }
    visitor.explored.exhaustive = await new TreeSearch(visitor).run();
    visitor.limit = all;
  }

  /** Where it is not seen what is read, every subset is a state of its own. */
  private async subsetsOneByOne(): Promise<void> {
    const { epochs, exhaustive, states } = this.options;
    const small = epochs.every(({ pending }) => pending.length <= maxExhaustive);
    if (!small || (this.visitor.explored.of ?? Infinity) > (exhaustive ? Infinity : (states ?? 20_000)))
      return;
    this.complete = true;
    await this.pass(everything(epochs));
    this.visitor.explored.exhaustive = this.wasComplete() && !this.visitor.over();
  }

  /** Has every state since `complete` was set been looked at? */
  private wasComplete(): boolean {
    return this.complete;
  }

  /** @param patience ends after so many batches in a row that bring nothing new: for batches that have no end of their own */
  private async pass(batches: Generator<Batch>, patience = Infinity): Promise<void> {
    this.stale = 0;
    await inParallel(this.options.sources, async (source, _, failed) => {
      while (!failed()) {
        if (this.visitor.over()) {
          this.complete = false;
          return;
        }
        if (this.stale > patience) return;
        const next = batches.next();
        if (next.done === true) return;
        const { epoch, choices } = next.value;
        for (let first = 0; first < choices.length && !failed(); first += atOnce) {
          await this.batch(source, epoch, choices.slice(first, first + atOnce));
        }
      }
    });
  }

  private async batch(source: StateSource, epoch: Epoch, choices: Choices[]): Promise<void> {
    const { visitor } = this;
    const looks = await visitor.look(source, epoch, choices);
    let fresh = false;
    let shown = false;
    for (const [i, one] of choices.entries()) {
      let seen = looks[i];
      const acked = ackedRange(epoch, one);
      // What was shown meanwhile may tell the outcome of this one.
      if (shown && seen !== undefined && !visitor.met(seen, acked))
        [seen] = await visitor.look(source, epoch, [one]);
      if (seen === undefined) continue;
      fresh ||= !visitor.met(seen, acked);
      const before = visitor.explored.checked;
      if ((await visitor.visit(source, epoch, one, seen)) === null) {
        this.complete = false;
        return;
      }
      shown ||= visitor.explored.checked > before;
    }
    this.stale = fresh ? 0 : this.stale + 1;
  }
}
