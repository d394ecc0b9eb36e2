/** Findings of one kind: the same target, broken in the same way for the same reason, wherever and how often. */
import type { FindingEvent } from '../harness/core/events.js';
import { groupBy } from '../harness/core/group-by.js';
import { clausesOf, listed } from './words.js';

export interface Kind {
  /** That which is easiest to understand. */
  shown: FindingEvent;
  others: FindingEvent[];
}

const mostNumbers = 8;

/** In the order in which the kinds were first seen. */
export function kindsOf(findings: readonly FindingEvent[]): Kind[] {
  const key = (finding: FindingEvent): string => {
    const { target, fault, rig, verdict } = finding;
    return [target, fault, rig, verdict, reasonOf(finding)].join('\u0000');
  };
  return [...groupBy(findings, key).values()].map((group) => {
    const shown = group.reduce((least, one) => (size(one) < size(least) ? one : least));
    return { shown, others: group.filter((one) => one !== shown) };
  });
}

/** `the same on xfs and btrfs: findings 2, 3, 4`; null where it is the only one. */
export function othersText({ shown, others }: Kind): string | null {
  if (others.length === 0) return null;
  const elsewhere = [...new Set(others.flatMap(({ fs }) => fs ?? []))].filter((fs) => fs !== shown.fs);
  const numbers = others.slice(0, mostNumbers).map(({ number }) => String(number));
  const left = others.length - numbers.length;
  const list = left > 0 ? `${numbers.join(', ')} and ${left} more` : listed(numbers);
  const where = elsewhere.length === 0 ? '' : ` on ${listed(elsewhere)}`;
  return `the same${where}: finding${others.length === 1 ? '' : 's'} ${list}`;
}

/** What the checker said, without the numbers that differ from crash to crash. */
function reasonOf(finding: FindingEvent): string {
  const clauses = clausesOf(finding);
  const where = finding.fault === 'kill' && clauses.length > 1 ? 1 : 0;
  return (clauses[where] ?? '').replaceAll(/\d+/g, '#');
}

/**
 * How much there is to understand. A finding that names a file which lost what it held is easiest: such an entry of the
 * picture has no place on the disk. Then counts what of the disk was lost or torn, how far the run had come, and words.
 */
function size({ timeline = [], explanation, acked }: FindingEvent): number {
  if (timeline.length === 0) return 0;
  const away = timeline.filter(({ fate }) => fate === 'lost' || fate === 'torn');
  const gone = away.filter(({ kind, offset }) => kind !== 'write' || offset !== undefined).length;
  const parts = [away.length > gone ? 0 : 1, gone, Math.max(0, acked), explanation.length];
  return parts.reduce((sum, part) => sum * 10_000 + Math.min(9_999, part), 0);
}
