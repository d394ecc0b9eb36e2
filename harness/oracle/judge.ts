/**
 * The oracle: from what was observed in a trial to its verdict, by the contract of failure-atomic
 * msync. Pure, so that a stored trial can be judged again.
 */
import type { DurabilityPromise } from '../core/target.js';
import type { Verdict } from '../core/verdict.js';

/** What recovery and check showed, whoever did them. */
export interface Recovery {
  outcome: 'consistent' | 'inconsistent' | 'failed' | 'absent';
  violation?: 'torn' | 'broken';
  state: number | null;
  reason: string;
}

export interface Observation {
  /** Newest acked commit; -1: the creation itself had not been acked. */
  acked: number;
  /** What the target promises of acked commits; none given: `durable`. */
  promise?: DurabilityPromise;
  /** Did the process really die by our signal while work was under way? */
  crash: 'in-flight' | 'idle' | 'missed';
  /** A failure of the target or of our own side before any crash. */
  trouble?: { kind: 'target' | 'harness'; detail: string };
  first?: Recovery;
  second?: Recovery;
  /** First difference between the files after one recovery and after two; null: equal; undefined: not compared. */
  difference?: string | null;
}

export interface Judgement {
  verdict: Verdict;
  reason?: string;
  recovered: number | null;
  /** Acked commits that are gone, where the target's promise allows that. */
  allowedLoss?: number;
}

export function judge(seen: Observation): Judgement {
  if (seen.trouble?.kind === 'harness') return not('harness-broken', seen.trouble.detail);
  // A target that fails before anything crashed says nothing about crashes.
  if (seen.trouble !== undefined) return not('not-measured', seen.trouble.detail);
  if (seen.crash === 'missed') return not('not-measured', 'the program ended before it could be killed');
  if (seen.first === undefined) return not('harness-broken', 'nothing recovered the target');

  const first = judgeRecovery(seen, seen.first);
  if (first.verdict !== 'held') return first;
  if (seen.second !== undefined) {
    const second = judgeRecovery(seen, seen.second);
    if (second.verdict !== 'held') {
      return { ...second, reason: `only the second recovery: ${second.reason ?? second.verdict}` };
    }
    if (second.recovered !== first.recovered) {
      return {
        verdict: 'broken',
        reason: `recovery is not idempotent: the first gave ${name(first.recovered)}, the second ${name(second.recovered)}`,
        recovered: second.recovered,
      };
    }
  }
  if (typeof seen.difference === 'string') {
    return {
      verdict: 'broken',
      reason: `recovery is not idempotent: ${seen.difference}`,
      recovered: first.recovered,
    };
  }
  if (seen.crash === 'idle') {
    return { ...not('not-measured', 'nothing was in flight when it died'), recovered: first.recovered };
  }
  return first;
}

/** The state must be that of commit `acked` or of the one that was in flight; or an older one, where only consistency is promised. */
function judgeRecovery(
  { acked, promise }: Pick<Observation, 'acked' | 'promise'>,
  seen: Recovery,
): Judgement {
  const recovered = seen.state;
  switch (seen.outcome) {
    case 'failed':
      return { verdict: 'unrecoverable', reason: seen.reason, recovered };
    case 'inconsistent':
      return { verdict: seen.violation ?? 'broken', reason: seen.reason, recovered };
    case 'absent':
      if (acked < 0) return { verdict: 'held', recovered: null };
      return {
        verdict: 'lost',
        reason: `commit ${acked} was acked, and nothing was there after recovery: ${seen.reason}`,
        recovered: null,
      };
    case 'consistent':
      if (recovered === null) return { verdict: 'held', recovered };
      if (recovered < acked && promise === 'consistent') {
        return { verdict: 'held', recovered, allowedLoss: acked - recovered };
      }
      if (recovered < acked) {
        return {
          verdict: 'lost',
          reason: `commit ${acked} was acked, but recovery gave commit ${recovered}`,
          recovered,
        };
      }
      if (recovered > acked + 1) {
        return {
          verdict: 'phantom',
          reason: `recovery gave commit ${recovered}, but only ${acked + 1} can have begun`,
          recovered,
        };
      }
      return { verdict: 'held', recovered };
  }
}

function not(verdict: 'not-measured' | 'harness-broken', reason: string): Judgement {
  return { verdict, reason, recovered: null };
}

function name(commit: number | null): string {
  return commit === null ? 'no state' : `commit ${commit}`;
}
