import { expect } from 'chai';
import type { FindingEvent, TimelineEntry } from '../../../harness/core/events.js';
import { kindsOf, othersText } from '../../../reports/kinds.js';

function finding(number: number, more: Partial<FindingEvent>): FindingEvent {
  return {
    type: 'finding',
    number,
    trial: 0,
    target: 'store',
    verdict: 'broken',
    fault: 'cut',
    rig: 'disk',
    seed: 1,
    plan: { mode: 'state', phase: 'run' },
    acked: 1,
    recovered: null,
    explanation: `broken: log does not hold the ${number} records of the index; lost: 1 write`,
    folder: `findings/${number}`,
    bundle: null,
    replay: `plugpull replay ${number}`,
    expected: false,
    ...more,
  };
}

const lost = (count: number): TimelineEntry[] =>
  Array.from({ length: count }, () => ({ kind: 'write', label: 'write', offset: 0, fate: 'lost' }));

describe('kinds of findings', () => {
  it('are one for one reason, whatever its numbers and file systems, and show the smallest', () => {
    const kinds = kindsOf([
      finding(1, { fs: 'ext4', timeline: lost(3) }),
      finding(2, { fs: 'ext4', timeline: lost(1) }),
      finding(3, { fs: 'xfs', timeline: lost(2) }),
      finding(4, { fs: 'btrfs', timeline: lost(2) }),
      finding(5, { fs: 'ext4', explanation: 'broken: the index is empty; lost: 1 write' }),
    ]);
    expect(kinds.map(({ shown, others }) => [shown.number, others.length])).to.deep.equal([
      [2, 3],
      [5, 0],
    ]);
    expect(kinds.map(othersText)).to.deep.equal(['the same on xfs and btrfs: findings 1, 3 and 4', null]);
  });

  it('show first the one that names a file, then the one of the earliest commit', () => {
    const file: TimelineEntry = { kind: 'write', label: '`log` is empty', file: 'log', fate: 'lost' };
    const shown = (...findings: FindingEvent[]): number | undefined => kindsOf(findings)[0]?.shown.number;
    const unnamed = finding(1, { timeline: lost(1) });
    const late = finding(2, { timeline: [...lost(3), file], acked: 9 });
    const early = finding(3, { timeline: [...lost(3), file], acked: 1 });
    expect(shown(unnamed, late)).to.equal(2);
    expect(shown(unnamed, late, early)).to.equal(3);
  });

  it('of kills go by what the checker said, not by where the kill fell', () => {
    const killed = (number: number, where: string): FindingEvent =>
      finding(number, {
        fault: 'kill',
        explanation: `torn: killed right after ${where}; page ${number} is old`,
      });
    expect(kindsOf([killed(1, 'a'), killed(2, 'b')])).to.have.length(1);
  });
});
