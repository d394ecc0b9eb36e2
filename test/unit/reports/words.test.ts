import { expect } from 'chai';
import { addCounts, noCounts, type Counts } from '../../../harness/core/counts.js';
import type { RunEnded, RunEvent, TargetSummary } from '../../../harness/core/events.js';
import { Summary } from '../../../reports/summary.js';
import { headline, meaning } from '../../../reports/words.js';
import { runStarted } from '../../support/events.js';

interface Part {
  target: Partial<TargetSummary> & { id: string };
  counts: Partial<Counts>;
  of?: number;
}

function summaryOf(parts: Part[], end: Partial<RunEnded>): Summary {
  const summary = new Summary();
  summary.on(runStarted());
  for (const { target, counts, of = null } of parts) {
    const whole = { kind: 'command', expect: 'hold', fault: 'cut', rig: 'disk', ...target } as const;
    const { id, fault, rig, fs } = whole;
    const states = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const place = { target: id, fault, rig, ...(fs === undefined ? {} : { fs }) };
    const millis = { run: 1, recover: 1, total: 2 };
    const plan = { mode: 'time', phase: 'run' } as const;
    const trial = {
      type: 'trial',
      ...place,
      seed: 1,
      plan,
      verdict: 'held',
      acked: 1,
      recovered: 1,
      millis,
    } as const;
    const events: RunEvent[] = [
      { type: 'target-started', target: whole },
      ...(fault === 'kill'
        ? Array.from({ length: states }, (_, index) => ({ ...trial, index }))
        : [{ type: 'states', ...place, counts, states, of, exhaustive: false, millis: 1 } as const]),
    ];
    for (const event of events) summary.on(event);
  }
  const counts = noCounts();
  for (const part of parts) addCounts(counts, part.counts);
  summary.on({
    type: 'run-ended',
    at: '2026-03-14T09:27:53.000Z',
    verdict: 'held',
    exitCode: 0,
    interrupted: false,
    counts,
    caveats: [],
    millis: 1000,
    ...end,
  });
  return summary;
}

const store = { id: 'store' };
const killed = { ...store, fault: 'kill', rig: 'folder' } as const;

describe('the headline of a run', () => {
  it('says that kills alone held', () => {
    expect(headline(summaryOf([{ target: killed, counts: { held: 20 } }], {}))).to.equal(
      'Held against kills only: 20 crashes, 0 violations; power cuts were not tried',
    );
    const both = [
      { target: killed, counts: { held: 20 } },
      { target: { ...store, fs: 'ext4' }, counts: { held: 12 }, of: 370 },
    ];
    expect(headline(summaryOf(both, {}))).to.equal(
      'Held: 32 crashes, 0 violations (12 of 370 crash states explored)',
    );
    // Cuts that were tried and measured nothing are none.
    const vain = [both[0]!, { target: store, counts: { 'not-measured': 1 } }];
    expect(headline(summaryOf(vain, {}))).to.match(/^Held against kills only/);
  });

  it('says of an interrupted run that it was', () => {
    const parts = [{ target: killed, counts: { held: 10 } }];
    expect(headline(summaryOf(parts, { interrupted: true, exitCode: 130 }))).to.equal(
      'Interrupted: 10 crashes so far, 0 violations',
    );
    const broken = [{ target: store, counts: { held: 10, torn: 1 } }];
    expect(headline(summaryOf(broken, { interrupted: true, verdict: 'violation' }))).to.match(/^Violation/);
  });

  it('counts a program on three file systems once, and names them', () => {
    const parts = ['ext4', 'xfs', 'btrfs'].map((fs) => ({
      target: { ...store, fs },
      counts: { held: 3, lost: 1 },
    }));
    expect(headline(summaryOf(parts, { verdict: 'violation' }))).to.equal(
      'Violation: store (on ext4, xfs and btrfs) broke the contract in 3 of 12 crashes',
    );
  });

  it('shows what caught the planted bug, where nothing else was tried', () => {
    const target = { id: 'redo+bug:x/bank', kind: 'backend', planted: 'x', expect: 'caught' } as const;
    const parts = [{ target, counts: { held: 40, lost: 3 } }];
    expect(headline(summaryOf(parts, {}))).to.equal(
      'Caught: the planted bug was caught, as it should be: lost 3, in 43 crashes',
    );
  });
});

describe('a run that goes on', () => {
  it('forgets what its first part did not reach', () => {
    const summary = summaryOf([], { interrupted: true });
    const skipped = {
      type: 'skipped',
      what: 'cut on disk (xfs)',
      reason: 'the run was interrupted',
    } as const;
    const fresh = new Summary();
    for (const event of [runStarted(), { ...skipped, missed: 'unreached' } as const, summary.ended!]) {
      fresh.on(event);
    }
    expect(fresh.skipped).to.have.length(1);
    fresh.on({ type: 'target-started', target: { ...killed, kind: 'command', expect: 'hold' } });
    expect(fresh.skipped).to.have.length(0);
  });
});

describe('what a control says that was caught elsewhere', () => {
  const wrong = (fs: string, counts: Partial<Counts>): Part => ({
    target: { id: 'plain/bank', backend: 'plain', expect: 'caught', fault: 'poweroff', rig: 'vm', fs },
    counts,
  });
  const said = (counts: Partial<Counts>): string => {
    const summary = summaryOf(
      [wrong('ext4 on 6.1, log', { torn: 2 }), wrong('btrfs on 6.1, log', counts)],
      {},
    );
    return summary.rows.map((row) => meaning(row, summary)).join('; ');
  };

  it('is that it held, if it did, and that nothing was measured, if nothing was', () => {
    expect(said({ held: 3 })).to.equal('caught, as it should be: torn 2; held here; caught elsewhere');
    expect(said({ 'harness-broken': 3 })).to.equal('caught, as it should be: torn 2; nothing was measured');
  });
});
