/** What is asked of an exploration, and what it gives. */
import type { DurabilityPromise } from '../core/target.js';
import type { Verdict } from '../core/verdict.js';
import type { Judgement } from '../oracle/judge.js';
import type { SubjectCheck } from '../subjects/subject.js';
import type { Choices } from './enumerate.js';
import type { Outcome } from './known-states.js';
import type { Leaf } from './lazy-tree.js';
import type { StateSource } from './state-source.js';
import type { Epoch } from './trace-index.js';
import type { AckedRange } from './verdict.js';

export interface ExplorationOptions {
  epochs: readonly Epoch[];
  sources: readonly StateSource[];
  seed: number;
  unit: number;
  /** The check is told the acked commit, so its outcome depends on more than the content. */
  checkKnowsAcked: boolean;
  /** What the target promises of acked commits. */
  promise?: DurabilityPromise;
  /** Recovering it twice must leave the same bytes. */
  sameBytes?: boolean;
  /** At most so many states; null: until time or states are used up. */
  states: number | null;
  /** performance.now() at which no new state begins. */
  deadline: number;
  exhaustive: boolean;
  /** No tears, and nothing in advance: only the search through all subsets of whole writes. */
  onlySubsets?: boolean;
  stopping: () => boolean;
  /** Called for every violation that came back, one at a time for each source, which shows nothing meanwhile. */
  onViolation: (found: Violation, source: StateSource) => Promise<void>;
  /** Called for every violation that did not come back when its state was shown again: it measured nothing. */
  onDoubt?: (found: Violation) => void;
  /** Called for every state that was mounted and held. */
  onShown?: (shown: Shown) => void;
  /** Called for every state that was visited in the search through all subsets of whole writes. */
  onLeaf?: (epoch: Epoch, leaf: Leaf, outcome: Outcome) => void;
}

export interface Violation {
  epoch: Epoch;
  choices: Choices;
  acked: AckedRange;
  judgement: Judgement;
  checks: readonly SubjectCheck[];
  /** What repair said of a file system that could not be mounted. */
  repair?: string;
}

export interface Shown extends Violation {
  /** Requests to write that recovery and check have caused. */
  written: number;
}

export interface Explored {
  /** Distinct crash states that were judged: by content, and by what was acked. */
  states: number;
  /** Contents that were mounted, recovered and checked. */
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
  /** States that held, but whose file system could be mounted only after repair; not there: none. */
  repaired?: number;
  /** What of our own failed, and ended the exploration before its time. What had been found stands. */
  failure?: Error;
  /** What was spared by seeing what is read; not there where it is not seen. */
  spared?: Spared;
}

export interface Spared {
  /** Distinct contents that were not mounted, since they agree with one that was in all that was read of it. */
  agreed: number;
  /** Of these, how many were mounted all the same, and how many then had another outcome: one is enough to distrust all. */
  audited: number;
  contradicted: number;
}
