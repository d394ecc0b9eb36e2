/** Finds out what becomes of crash states: by showing them, or because it is known of states that cannot be told apart. */
import { isViolation } from '../core/verdict.js';
import { choicesText, subsets, type Choices } from './enumerate.js';
import type { ExplorationOptions, Explored, Spared, Violation } from './explored.js';
import { KnownStates, sameOutcome, slim, type KnownContent, type Outcome } from './known-states.js';
import { confirm, type ShownAgain } from './show-again.js';
import type { Look, StateSource } from './state-source.js';
import type { Epoch } from './trace-index.js';
import { ackedRange, judgeState, type AckedRange } from './verdict.js';

/** Every n-th state is recovered twice. */
const twiceEvery = 8;
/** Every n-th is looked at for bytes that the second recovery changed, where none may. */
const bytesEvery = 32;
/** Every n-th state that agrees with another in all that was read is shown all the same. */
const auditEvery = 32;

export class Visitor {
  readonly explored: Explored;
  readonly spared: Spared = { agreed: 0, audited: 0, contradicted: 0 };
  /** No new state begins beyond. */
  limit: { states: number; deadline: number };
  private readonly known: KnownStates;

  constructor(readonly options: ExplorationOptions) {
    this.known = new KnownStates(options.checkKnowsAcked);
    this.limit = { states: options.states ?? Infinity, deadline: options.deadline };
    this.explored = {
      states: 0,
      checked: 0,
      counts: {},
      of: subsets(options.epochs),
      exhaustive: false,
      bySteps: {},
      reasons: new Map(),
      allowedLoss: { states: 0, most: 0 },
      millis: 0,
    };
  }

  over(): boolean {
    const { states, deadline } = this.limit;
    return this.options.stopping() || performance.now() >= deadline || this.explored.states >= states;
  }

  async look(source: StateSource, epoch: Epoch, choices: readonly Choices[]): Promise<Look[]> {
    const texts = choices.map(choicesText);
    if (source.reads) return source.reads.look(epoch.number, texts);
    return (await source.digests(epoch.number, texts)).map((digest) => ({ digest, agrees: [] }));
  }

  /** Was this content met before? */
  met(seen: Look, { last }: AckedRange): boolean {
    return this.known.content(seen, last) !== undefined;
  }

  /** Will `visit` need to show nothing? */
  knows(seen: Look, acked: AckedRange): boolean {
    return this.met(seen, acked) || this.agreeing(seen, acked) !== undefined;
  }

  /** Finds the outcome of a state, shows it if it must be shown, and judges it. Null: there was no time left for it. */
  async visit(source: StateSource, epoch: Epoch, choices: Choices, seen: Look): Promise<Outcome | null> {
    const acked = ackedRange(epoch, choices);
    let known = this.known.content(seen, acked.last);
    if (known === undefined) {
      const agreeing = this.agreeing(seen, acked);
      if (agreeing !== undefined) {
        known = this.known.add(seen, acked.last, Promise.resolve(agreeing));
        this.spared.agreed++;
        if (this.spared.agreed % auditEvery === 0 && !this.over()) {
          known = await this.audit(source, epoch, choices, seen, agreeing);
        }
      } else {
        if (this.over()) return null;
        known = this.known.add(seen, acked.last, this.show(source, epoch, choices, acked));
      }
    }
    const outcome = await known.outcome;
    if (outcome === null) return null;
    const range = `${acked.first} ${acked.last}`;
    if (known.judged.has(range)) return outcome;
    known.judged.add(range);
    const { checks, repair } = outcome.settled ?? { checks: outcome.checks, repair: '' };
    const judgement = judgeState(acked, checks, this.options.promise);
    const found = { epoch, choices, acked, judgement, checks, repair };
    await this.judged(
      isViolation(judgement.verdict) ? await this.sure(found, outcome, source) : found,
      source,
    );
    return outcome;
  }

  private agreeing(seen: Look, acked: AckedRange): Outcome | undefined {
    return this.spared.contradicted > 0 ? undefined : this.known.agreeing(seen, acked.last);
  }

  /** Does a state that agrees with another in all that was read have its outcome? */
  private async audit(
    source: StateSource,
    epoch: Epoch,
    choices: Choices,
    seen: Look,
    agreeing: Outcome,
  ): Promise<KnownContent> {
    const acked = ackedRange(epoch, choices);
    const known = this.known.add(seen, acked.last, this.show(source, epoch, choices, acked));
    const outcome = await known.outcome;
    this.spared.audited++;
    if (outcome !== null && !sameOutcome(outcome, agreeing)) this.spared.contradicted++;
    return known;
  }

  async show(source: StateSource, epoch: Epoch, choices: Choices, acked: AckedRange): Promise<Outcome> {
    const turn = this.explored.checked++;
    const times = turn % twiceEvery === 0 ? 2 : 1;
    const state = { epoch: epoch.number, choices: choicesText(choices) };
    let checks = (await source.check(state, acked.last, times)).map(slim);
    // What was stopped for its time might have gone on.
    let reads = checks.some(({ end }) => end.stopped !== null) ? null : (source.reads?.last ?? null);
    const written = source.written ?? 0;
    if (this.options.sameBytes === true && turn % bytesEvery === 0 && this.holds(acked, checks)) {
      // Shown once more: what the comparison reads is not what recovery reads.
      const compared = (await source.check(state, acked.last, 2, { sameBytes: true })).map(slim);
      if (!this.holds(acked, compared)) [checks, reads] = [compared, null];
    }
    const outcome: Outcome = { checks, reads: reads?.name ?? null };
    if (reads !== null) {
      this.known.learn(outcome, acked.last);
      // Not waited for: a source answers in the order in which it was asked.
      for (const other of this.options.sources) other.reads?.learn(reads).catch(() => undefined);
    }
    const judgement = judgeState(acked, checks, this.options.promise);
    if (!isViolation(judgement.verdict)) {
      this.options.onShown?.({ epoch, choices, acked, judgement, checks, written });
    }
    return outcome;
  }

  private holds(acked: AckedRange, checks: Outcome['checks']): boolean {
    return judgeState(acked, checks, this.options.promise).verdict === 'held';
  }

  /** What a violation is once its state was shown again: one that does not come back, as by a slow machine, is none. */
  private async sure(found: Violation, outcome: Outcome, source: StateSource): Promise<Violation> {
    if (outcome.settled !== undefined) return found;
    const { promise = 'durable', stopping, onDoubt } = this.options;
    const again: ShownAgain | null =
      outcome.doubted === true ? null : await confirm(found, source, promise, stopping);
    if (again === null) {
      outcome.doubted = true;
      onDoubt?.(found);
      const reason = `a violation did not come back when its state was shown again: ${found.judgement.reason ?? ''}`;
      return { ...found, judgement: { verdict: 'not-measured', reason, recovered: null } };
    }
    outcome.settled = { checks: again.checks.map(slim), repair: again.repair };
    return { ...found, ...outcome.settled, judgement: again.judgement };
  }

  private async judged(found: Violation, source: StateSource): Promise<void> {
    const { explored } = this;
    const { verdict, reason, allowedLoss = 0 } = found.judgement;
    if (allowedLoss > 0) {
      const { states, most } = explored.allowedLoss;
      explored.allowedLoss = { states: states + 1, most: Math.max(most, allowedLoss) };
    }
    if (verdict === 'held' && found.checks[0]?.repaired !== undefined) {
      explored.repaired = (explored.repaired ?? 0) + 1;
    }
    const { step } = found.epoch;
    explored.states++;
    explored.counts[verdict] = (explored.counts[verdict] ?? 0) + 1;
    if (step !== null) explored.bySteps[step] = (explored.bySteps[step] ?? 0) + 1;
    if (reason !== undefined && !explored.reasons.has(verdict)) explored.reasons.set(verdict, reason);
    if (isViolation(verdict)) await this.options.onViolation(found, source);
  }
}
