import { expect } from 'chai';
import { judge, type Observation, type Recovery } from '../../../harness/oracle/judge.js';

const state = (commit: number): Recovery => ({ outcome: 'consistent', state: commit, reason: '' });

function seen(more: Partial<Observation>): Observation {
  return { acked: 5, crash: 'in-flight', first: state(5), second: state(5), difference: null, ...more };
}

describe('the oracle', () => {
  it('accepts the acked commit and the one in flight, and nothing else', () => {
    const verdictOf = (commit: number) =>
      judge(seen({ first: state(commit), second: state(commit) })).verdict;
    expect([3, 4, 5, 6, 7, 8].map(verdictOf)).to.deep.equal([
      'lost',
      'lost',
      'held',
      'held',
      'phantom',
      'phantom',
    ]);
  });

  it('forgives lost commits, and nothing else, where a target promises no more than consistency', () => {
    const consistent = (more: Partial<Observation>) => judge(seen({ promise: 'consistent', ...more }));
    const both = (commit: number) => consistent({ first: state(commit), second: state(commit) });
    expect(both(2)).to.deep.equal({ verdict: 'held', recovered: 2, allowedLoss: 3 });
    expect(both(5)).to.not.have.property('allowedLoss');
    expect(both(7).verdict).to.equal('phantom');
    expect(consistent({ first: state(2), second: state(1) }).verdict).to.equal('broken');
    const torn: Recovery = { outcome: 'inconsistent', violation: 'torn', state: 2, reason: 'half' };
    expect(consistent({ first: torn }).verdict).to.equal('torn');
    const absent: Recovery = { outcome: 'absent', state: null, reason: 'no file' };
    expect(consistent({ first: absent }).verdict).to.equal('lost');
    expect(judge(seen({ promise: 'durable', first: state(2) })).verdict).to.equal('lost');
  });

  it('takes the class of an inconsistency from the checker, and calls it broken where it does not tell', () => {
    const inconsistent = (violation?: 'torn' | 'broken'): Recovery => ({
      outcome: 'inconsistent',
      state: 5,
      reason: 'sum is 7',
      ...(violation === undefined ? {} : { violation }),
    });
    expect(judge(seen({ first: inconsistent('torn') })).verdict).to.equal('torn');
    expect(judge(seen({ first: inconsistent() }))).to.deep.include({ verdict: 'broken', reason: 'sum is 7' });
  });

  it('calls a recovery that could not say unrecoverable', () => {
    const failed: Recovery = { outcome: 'failed', state: null, reason: 'died by signal 11' };
    expect(judge(seen({ first: failed }))).to.deep.include({
      verdict: 'unrecoverable',
      reason: 'died by signal 11',
    });
  });

  it('allows nothing to be there only before the creation was acked', () => {
    const absent: Recovery = { outcome: 'absent', state: null, reason: 'no heap' };
    expect(judge(seen({ acked: -1, first: absent, second: absent })).verdict).to.equal('held');
    expect(judge(seen({ acked: 0, first: absent, second: absent })).verdict).to.equal('lost');
    expect(judge(seen({ acked: -1, first: state(0), second: state(0) })).verdict).to.equal('held');
    expect(judge(seen({ acked: -1, first: state(1), second: state(1) })).verdict).to.equal('phantom');
  });

  it('holds the second recovery to the first', () => {
    expect(judge(seen({ first: state(5), second: state(6) }))).to.deep.include({ verdict: 'broken' });
    expect(judge(seen({ second: state(4) })).verdict).to.equal('lost');
    const differs = judge(seen({ difference: 'heap.db differs at byte 12' }));
    expect(differs.verdict).to.equal('broken');
    expect(differs.reason).to.contain('heap.db differs at byte 12');
  });

  it('measures nothing where nothing was in flight or no crash fell', () => {
    expect(judge(seen({ crash: 'idle' })).verdict).to.equal('not-measured');
    expect(judge(seen({ crash: 'missed' })).verdict).to.equal('not-measured');
    const trouble = { kind: 'target', detail: 'exit status 3' } as const;
    expect(judge(seen({ crash: 'missed', trouble }))).to.deep.include({
      verdict: 'not-measured',
      reason: 'exit status 3',
    });
  });

  it('still reports a violation that an idle crash left', () => {
    expect(judge(seen({ crash: 'idle', first: state(4) })).verdict).to.equal('lost');
  });

  it('never counts its own failure as either', () => {
    expect(judge(seen({ trouble: { kind: 'harness', detail: 'no space' } })).verdict).to.equal(
      'harness-broken',
    );
    expect(judge({ acked: 1, crash: 'in-flight' }).verdict).to.equal('harness-broken');
  });

  it('lets a program that tells no state be judged by its exit status alone', () => {
    const quiet: Recovery = { outcome: 'consistent', state: null, reason: '' };
    expect(judge(seen({ first: quiet, second: quiet })).verdict).to.equal('held');
  });
});
