/** What is known of crash states: outcomes by content, and by what was read. Bounded: the oldest are forgotten. */
import type { SubjectCheck } from '../subjects/subject.js';
import type { Look } from './state-source.js';

export interface Outcome {
  checks: readonly SubjectCheck[];
  /** What it is judged by once its violation was seen again: also what repair gave. */
  settled?: { checks: readonly SubjectCheck[]; repair: string };
  /** Its violation did not come back: it tells nothing, of this state or of any other. */
  doubted?: boolean;
  /** Name of what was read; null where that was not seen. */
  reads: string | null;
}

/** The outcome of one content; it may be on its way. Null: it was never found out. */
export interface KnownContent {
  outcome: Promise<Outcome | null>;
  /** Ranges of acked commits for which it was judged. */
  judged: Set<string>;
}

const maxContents = 1_000_000;
const maxReadSets = 200_000;
const longestReason = 1000;

export class KnownStates {
  private readonly contents = new Map<string, KnownContent>();
  private readonly byReads = new Map<string, Outcome>();

  /** @param checkKnowsAcked the outcome depends on the acked commit, too, since the check is told it */
  constructor(private readonly checkKnowsAcked: boolean) {}

  content({ digest }: Look, acked: number): KnownContent | undefined {
    return this.contents.get(this.key(digest, acked));
  }

  /** The outcome of a state that agrees with this one on all that was read. */
  agreeing({ agrees }: Look, acked: number): Outcome | undefined {
    for (const name of agrees) {
      const outcome = this.byReads.get(this.key(name, acked));
      if (outcome !== undefined && outcome.doubted !== true) return outcome;
    }
    return undefined;
  }

  add({ digest }: Look, acked: number, outcome: Promise<Outcome | null>): KnownContent {
    const known = { outcome, judged: new Set<string>() };
    put(this.contents, this.key(digest, acked), known, maxContents);
    return known;
  }

  learn(outcome: Outcome, acked: number): void {
    if (outcome.reads !== null) put(this.byReads, this.key(outcome.reads, acked), outcome, maxReadSets);
  }

  private key(name: string, acked: number): string {
    return this.checkKnowsAcked ? `${name} ${acked}` : name;
  }
}

function put<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.set(key, value);
  if (map.size <= most) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    break;
  }
}

/** What is needed of a check later on. What a program printed is kept for a million states. */
export function slim(check: SubjectCheck): SubjectCheck {
  const { outcome, state, violation, end, millis, difference, repaired } = check;
  return {
    ...{ outcome, state, end, millis, log: '', reason: check.reason.slice(0, longestReason) },
    ...(violation === undefined ? {} : { violation }),
    ...(difference === undefined ? {} : { difference }),
    ...(repaired === undefined ? {} : { repaired }),
  };
}

/** Do two outcomes say the same? The words of a reason may differ. */
export function sameOutcome(one: Outcome, other: Outcome): boolean {
  const [a] = one.checks;
  const [b] = other.checks;
  return a?.outcome === b?.outcome && a?.state === b?.state && a?.violation === b?.violation;
}
