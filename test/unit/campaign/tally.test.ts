import { expect } from 'chai';
import { conclude, exitCodeFor, Tally } from '../../../harness/campaign/tally.js';
import type { TrialEnded } from '../../../harness/core/events.js';
import type { Verdict } from '../../../harness/core/verdict.js';

function tallyOf(targets: { id: string; expect: 'hold' | 'caught'; planted?: string }[]): Tally {
  const tally = new Tally();
  for (const target of targets) {
    tally.add({
      type: 'target-started',
      target: { kind: 'backend', fault: 'kill', rig: 'folder', ...target },
    });
  }
  return tally;
}

function trial(target: string, verdict: Verdict, index = 0): TrialEnded {
  return {
    type: 'trial',
    index,
    target,
    fault: 'kill',
    rig: 'folder',
    seed: 1,
    plan: { mode: 'time', phase: 'run' },
    verdict,
    ...(verdict === 'held' ? {} : { reason: 'because' }),
    acked: 1,
    recovered: 1,
    millis: { run: 1, recover: 1, total: 2 },
  };
}

function many(tally: Tally, target: string, verdict: Verdict, count: number): void {
  for (let i = 0; i < count; i++) tally.add(trial(target, verdict, i));
}

describe('the verdict of a campaign', () => {
  const hold = { id: 'redo/bank', expect: 'hold' } as const;
  const control = { id: 'plain/bank', expect: 'caught' } as const;

  it('is held only if every target was measured', () => {
    const tally = tallyOf([hold, { id: 'copy/bank', expect: 'hold' }]);
    many(tally, 'redo/bank', 'held', 10);
    expect(conclude(tally, null).verdict).to.equal('not-measured');
    many(tally, 'copy/bank', 'held', 10);
    expect(conclude(tally, null).verdict).to.equal('held');
  });

  it('is a violation by one of many trials, whatever else went wrong', () => {
    const tally = tallyOf([hold, control]);
    many(tally, 'redo/bank', 'held', 1000);
    many(tally, 'redo/bank', 'harness-broken', 1);
    many(tally, 'redo/bank', 'torn', 1);
    expect(conclude(tally, null).verdict).to.equal('violation');
  });

  it('does not count a caught control as a violation, and distrusts a run whose control was not caught', () => {
    const tally = tallyOf([hold, control]);
    many(tally, 'redo/bank', 'held', 50);
    many(tally, 'plain/bank', 'held', 5);
    expect(conclude(tally, null).verdict).to.equal('not-measured');
    many(tally, 'plain/bank', 'held', 100);
    expect(conclude(tally, null).verdict).to.equal('harness-broken');
    many(tally, 'plain/bank', 'torn', 1);
    expect(conclude(tally, null).verdict).to.equal('held');
    expect(tally.counts.torn).to.equal(0);
  });

  it('is ours to mend when one of our trials broke', () => {
    const tally = tallyOf([hold]);
    many(tally, 'redo/bank', 'held', 50);
    many(tally, 'redo/bank', 'harness-broken', 1);
    expect(conclude(tally, null).verdict).to.equal('harness-broken');
  });

  it('passes the gate only with enough independent trials', () => {
    const tally = tallyOf([hold]);
    many(tally, 'redo/bank', 'held', 299);
    expect(conclude(tally, 0.01).verdict).to.equal('not-measured');
    many(tally, 'redo/bank', 'held', 1);
    expect(conclude(tally, 0.01).verdict).to.equal('held');
  });

  it('says that a kill alone cannot see a missing flush', () => {
    const tally = tallyOf([hold]);
    many(tally, 'redo/bank', 'held', 3);
    expect(conclude(tally, null).caveats.join(' ')).to.contain('page cache survived');
  });

  it('says that only where something was killed', () => {
    const tally = tallyOf([hold]);
    many(tally, 'redo/bank', 'not-measured', 3);
    expect(conclude(tally, null).caveats.join(' ')).not.to.contain('page cache');
  });

  it('did not hold where something was asked for by name and not tried', () => {
    const skipped = { type: 'skipped', what: 'cut on disk (xfs)', reason: 'it was' } as const;
    for (const [missed, status] of [
      [undefined, 0],
      ['unreached', 2],
      ['lacking', 69],
    ] as const) {
      const tally = tallyOf([hold]);
      many(tally, 'redo/bank', 'held', 5);
      tally.add({ ...skipped, ...(missed === undefined ? {} : { missed }) });
      expect(exitCodeFor(conclude(tally, null).verdict, tally), missed).to.equal(status);
    }
  });

  it('says that a check which names no commit cannot see lost ones', () => {
    const tally = new Tally();
    const target = { id: 'store', kind: 'command', expect: 'hold', fault: 'kill', rig: 'folder' } as const;
    tally.add({ type: 'target-started', target });
    tally.add({ ...trial('store', 'held'), recovered: null });
    const never = /store: its check never printed `plugpull state K`/;
    expect(conclude(tally, null).caveats.join(' ')).to.match(never);
    tally.add(trial('store', 'held', 1));
    expect(conclude(tally, null).caveats.join(' ')).not.to.match(never);
  });

  it('asks for random trials of what had any, not of states that were explored', () => {
    const tally = tallyOf([hold]);
    many(tally, 'redo/bank', 'held', 300);
    const cut = { kind: 'backend', fault: 'cut', rig: 'model' } as const;
    tally.add({ type: 'target-started', target: { ...hold, ...cut } });
    const { id } = hold;
    const states = { states: 9, of: 9, exhaustive: true, millis: 1, counts: { held: 9 } };
    tally.add({ type: 'states', target: id, fault: 'cut', rig: 'model', ...states });
    expect(conclude(tally, 0.01).verdict).to.equal('held');
  });

  it('measures nothing without targets', () => {
    expect(conclude(new Tally(), null).verdict).to.equal('not-measured');
  });
});
