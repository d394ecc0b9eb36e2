import { expect } from 'chai';
import { conclude, Tally } from '../../../harness/campaign/tally.js';
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

  it('measures nothing without targets', () => {
    expect(conclude(new Tally(), null).verdict).to.equal('not-measured');
  });
});
