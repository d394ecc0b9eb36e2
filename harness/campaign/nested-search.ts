/** Power cuts during recovery: what recovery writes is recorded in its turn, and the crash states of that are explored. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { inParallel } from '../core/parallel.js';
import { createChecker, type Checker } from '../disk/checker.js';
import { choicesText } from '../disk/enumerate.js';
import { DiskMap, explainState } from '../disk/explain.js';
import type { Explored, Shown } from '../disk/exploration.js';
import type { Recording } from '../disk/recording.js';
import { afterCut, dropRecording, recordRecovery } from '../disk/recovery-recording.js';
import type { StateSource } from '../disk/state-source.js';
import { readTraceIndex } from '../disk/trace-index.js';
import { addTold, nothing, violatedIn, type Told } from './disk-told.js';
import { StateSearch, type EarlierCut, type StateSearchOptions } from './state-search.js';

export interface NestedOptions extends Omit<StateSearchOptions, 'trace' | 'open'> {
  /** So many cuts during recovery, one within the other; at least 1. */
  depth: number;
  /** Recoveries that are recorded and explored at once. */
  lanes: number;
  /** Makes crash states of a recorded recovery; `folder` is its own. */
  sourceOf: (recording: Recording, folder: string) => Promise<StateSource>;
}

/** States that are kept of each kind: those whose recovery wrote most. */
const keptOfKind = 2;
/** Recoveries that are cut, where there are not more kinds than that. */
const leastRecoveries = 12;
const allRecoveries = 64;
/** Crash states of a recovery, where they are bounded: at least so many, rather than a few of each. */
const statesOfRecovery = 80;
/** And at most, where only time bounds them. */
const mostStates = 400;
/** With less time than this a recovery is not begun: recording alone takes about half of it. */
const leastMillis = 1000;
/** What each gets at least, as long as there is that much. */
const sliceMillis = 3000;
/** So many recoveries whose cut violates are enough. */
const maxViolated = 2;

export class NestedSearch {
  private readonly byKind = new Map<string, Shown[]>();

  constructor(private readonly options: NestedOptions) {}

  /** Called for each state that was shown and held. */
  offer(shown: Shown): void {
    if (shown.written === 0) return;
    const kind = kindOf(shown);
    const best = [...(this.byKind.get(kind) ?? []), shown].sort((a, b) => b.written - a.written);
    this.byKind.set(kind, best.slice(0, keptOfKind));
  }

  /** @param source one of those of the recording itself, for its states */
  async run(source: StateSource, deadline: number, states: number | null): Promise<Told> {
    const { lanes, folder, target, seed } = this.options;
    const waiting = this.chosen();
    const total = waiting.length;
    let told: Told = { ...nothing, of: 0, exhaustive: true };
    let violated = 0;
    let begun = 0;
    let taken = 0; // states of those under way
    await inParallel(Array.from({ length: Math.min(lanes, total) }), async (_, __, failed) => {
      const own = mkdtempSync(path.join(folder, 'recovery-'));
      const checker = createChecker(target, seed, own);
      try {
        for (let next = waiting.shift(); next !== undefined && !failed(); next = waiting.shift()) {
          const now = performance.now();
          const round = Math.ceil((waiting.length + 1) / lanes);
          // Rather a few of them well than all of them hardly.
          const until = Math.min(deadline, now + Math.max((deadline - now) / round, sliceMillis));
          const left = states === null ? Infinity : states - told.states - taken;
          const share = Math.min(left, Math.max(Math.ceil(left / (waiting.length + 1)), statesOfRecovery));
          if (this.options.context.stopping() || until - now < leastMillis || left <= 0) return;
          if (violated >= maxViolated) return;
          taken += share;
          const place = path.join(own, String(++begun));
          mkdirSync(place);
          const one = await this.recovery(source, next, checker, place, until, share);
          taken -= share;
          told = addTold(told, one);
          if (violatedIn(one)) violated++;
        }
      } finally {
        await checker.close();
      }
    }).catch((error: unknown) => {
      if (this.options.context.stopping()) return;
      told = addTold(told, { ...nothing, counts: { 'harness-broken': 1 } });
      this.note((error as Error).message);
    });
    return told;
  }

  private note(text: string): void {
    const { context, target, fsLabel } = this.options;
    const what = `${target.id} on ${fsLabel}, cuts during recovery: ${text}`;
    context.emit({ type: 'note', level: 'warning', text: what });
  }

  /** One of each kind first; where nothing had been acked least can go wrong. */
  private chosen(): Shown[] {
    const lists = [...this.byKind.values()];
    const ranks = Array.from({ length: keptOfKind }, (_, rank) =>
      lists
        .flatMap((list) => list.slice(rank, rank + 1))
        .sort((a, b) => Math.sign(b.acked.last + 1) - Math.sign(a.acked.last + 1) || b.written - a.written),
    );
    const most = this.options.exhaustive ? allRecoveries : Math.max(leastRecoveries, lists.length);
    return ranks.flat().slice(0, most);
  }

  private async recovery(
    source: StateSource,
    shown: Shown,
    checker: Checker,
    folder: string,
    deadline: number,
    states: number,
  ): Promise<Told> {
    const { depth, sourceOf, recording, exhaustive, ...search } = this.options;
    const state = { epoch: shown.epoch.number, choices: choicesText(shown.choices) };
    const saved = path.join(folder, 'state');
    await source.save(state, saved);
    const recovered = await recordRecovery(recording, saved, checker, shown.acked.last, folder);
    rmSync(saved);
    try {
      // It held a moment ago, and nothing of what is asked here can be asked of one that does not.
      if (recovered.check.outcome !== shown.checks[0]?.outcome) {
        this.note(`a state that held did not when its recovery was recorded: ${recovered.check.reason}`);
        return { ...nothing, counts: { 'not-measured': 1 } };
      }
      const trace = afterCut(await readTraceIndex(recovered.recording.trace), shown.acked);
      const map = await DiskMap.of(recording);
      const { text, timeline } = explainState(map, shown.epoch, shown.choices);
      const plan = { mode: 'state', phase: 'run', choices: `${state.epoch}/${state.choices}` } as const;
      const first: EarlierCut = { plans: [plan], text: `first cut: ${text}`, timeline };
      const earlier = joined(this.options.earlier, first);
      const own = path.join(folder, 'source');
      mkdirSync(own);
      const inner = { ...search, earlier, exhaustive, recording: recovered.recording, folder };
      const deeper = depth > 1 ? new NestedSearch({ ...inner, depth: depth - 1, sourceOf, lanes: 1 }) : null;
      const further: Told[] = [];
      const explored: Explored = await new StateSearch({
        ...inner,
        trace,
        open: () => oneSource(sourceOf(recovered.recording, own)),
        ...(deeper === null
          ? {}
          : {
              onShown: (one: Shown) => deeper.offer(one),
              afterwards: async (opened: StateSource) => {
                further.push(
                  await deeper.run(opened, deadline, exhaustive ? null : Math.min(states, mostStates)),
                );
              },
            }),
      }).run(deadline, exhaustive ? null : Math.min(states, mostStates));
      return further.reduce<Told>(addTold, explored);
    } finally {
      dropRecording(recovered.recording);
    }
  }
}

/** By the step of the protocol at which the first cut fell, and by whether the commit in flight survived it. */
function kindOf({ epoch, acked, checks }: Shown): string {
  const survived = acked.last < 0 ? 'nothing acked' : (checks[0]?.state ?? 0) - acked.last;
  return `${epoch.step ?? ''} ${survived}`;
}

async function* oneSource(source: Promise<StateSource>): AsyncGenerator<StateSource> {
  yield await source;
}

function joined(earlier: EarlierCut | undefined, cut: EarlierCut): EarlierCut {
  if (earlier === undefined) return cut;
  return {
    plans: [...earlier.plans, ...cut.plans],
    text: `${earlier.text}; then ${cut.text}`,
    timeline: [...earlier.timeline, ...cut.timeline],
  };
}
