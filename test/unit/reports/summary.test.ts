import { expect } from 'chai';
import type { RunEvent } from '../../../harness/core/events.js';
import { Summary } from '../../../reports/summary.js';
import { campaignEvents, heldShape, runStarted, violatedShape } from '../../support/events.js';

function summarized(events: Iterable<RunEvent>): Summary {
  const summary = new Summary();
  for (const event of events) summary.on(event);
  return summary;
}

/** Number of values that can be reached: what grows if something is kept of each trial. */
function sizeOf(value: unknown, seen = new Set<unknown>()): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null || seen.has(value)) return 1;
  seen.add(value);
  if (value instanceof Map) return sizeOf([...value.entries()], seen);
  if (value instanceof Set) return sizeOf([...value], seen);
  return Object.entries(value).reduce((sum, [key, part]) => sum + key.length + sizeOf(part, seen), 1);
}

describe('Summary', () => {
  it('counts as the campaign does: controls apart', () => {
    const events = [...campaignEvents(heldShape)];
    const summary = summarized(events);
    const end = events.at(-1);
    if (end?.type !== 'run-ended') throw new Error('the fixture has no end');
    expect(summary.counts).to.deep.equal(end.counts);
    expect(summary.violations).to.equal(0);
    expect(summary.trials).to.equal(events.filter(({ type }) => type === 'trial').length);
    expect(summary.controls.map(({ caught }) => caught)).to.deep.equal([true, true, true, true]);
    expect(summary.expectedFindings).to.have.length(4);
    expect(summary.unexpectedFindings).to.have.length(0);
  });

  it('bounds the probability of a violation by the random trials that held, 3/n', () => {
    const summary = summarized(campaignEvents(heldShape));
    const row = summary.rows.find(({ target }) => target.id === 'redo/bank');
    expect(row?.randomHeld).to.be.greaterThan(50);
    expect(row?.upperBound).to.equal(3 / (row?.randomHeld ?? 1));
    const violated = summarized(campaignEvents(violatedShape)).rows.find(
      ({ target }) => target.id === 'journal/kv',
    );
    expect(violated?.violations).to.be.greaterThan(0);
    expect(violated?.upperBound).to.equal(null);
  });

  it('keeps file systems apart, and knows the states of each', () => {
    const summary = summarized(campaignEvents(violatedShape));
    const cut = summary.rows.filter(({ target }) => target.id === 'copy/bank' && target.fault === 'cut');
    expect(cut.map(({ target }) => target.fs)).to.deep.equal(['ext4', 'xfs', 'btrfs']);
    for (const row of cut) {
      expect(row.explored?.exhaustive).to.equal(true);
      expect(row.explored?.of).to.equal(row.explored?.states);
    }
    const redo = summary.rows.find(({ target }) => target.id === 'redo/bank' && target.fs === 'xfs');
    expect(redo?.explored?.exhaustive).to.equal(false);
  });

  it('covers steps by crashes, by trials that say so and by the end of the target', () => {
    const row = summarized(campaignEvents({ trials: 1 })).rows[0];
    expect(row?.coverage()?.missed).to.deep.equal(['redo.commit.log-switched']);
    expect(row?.coverage()?.hit).to.include('redo.recover.pages-laid');
  });

  it('reads the log of a run that was broken off and taken up again', () => {
    const events = [...campaignEvents({ trials: 2 })];
    const again = events.filter(({ type }) => type === 'target-started' || type === 'skipped');
    const summary = summarized([...events, ...again]);
    expect(summary.resumed).to.equal(true);
    expect(summary.rows).to.have.length(9);
    expect(summary.skipped).to.have.length(2);
  });

  it('takes a log without an end, and trials of targets it was not told of', () => {
    const summary = summarized(campaignEvents({ unfinished: true }));
    expect(summary.ended).to.equal(null);
    const orphan = summarized([...campaignEvents()].filter(({ type }) => type === 'trial'));
    expect(orphan.rows).to.have.length(9);
    expect(orphan.subjects).to.have.length(9);
  });

  it('adds up in the intervals over the trials, without the states that were explored in bulk', () => {
    const summary = summarized(campaignEvents(violatedShape));
    const sum = summary.overTrials.intervals.reduce(
      (all, { held, caught, violation, ...rest }) =>
        all + held + caught + violation + rest['not-measured'] + rest['harness-broken'],
      0,
    );
    const explored = summary.rows.reduce((all, { modes }) => all + modes.state, 0);
    expect(explored).to.be.greaterThan(0);
    expect(sum).to.equal(summary.trials - explored);
    expect(summary.overTrials.intervals.length).to.be.within(40, 96);
  });

  it('stays as small as it was over a million trials', function () {
    this.timeout(120_000);
    const summary = new Summary();
    summary.on(runStarted());
    const [target] = [...campaignEvents({ trials: 0, sweep: false })].filter(
      (event) => event.type === 'target-started',
    );
    if (target === undefined) throw new Error('the fixture starts no target');
    summary.on(target);
    const { id, steps = [] } = target.target;
    const add = (from: number, to: number): void => {
      for (let index = from; index < to; index++) {
        const torn = index % 97 === 0;
        const event = {
          target: id,
          fault: 'kill',
          rig: 'folder',
          seed: index,
          acked: 3,
          recovered: 3,
        } as const;
        const plan = { mode: 'time', phase: 'run', afterCommit: 3, delayMicros: index } as const;
        const step = steps[index % steps.length] ?? '';
        const reason = `account ${index} is wrong`;
        const millis = { run: 5, recover: 1 + (index % 1000), total: 30 };
        const verdict = torn ? 'torn' : 'held';
        summary.on({
          type: 'trial',
          index,
          ...event,
          plan,
          step,
          verdict,
          ...(torn ? { reason } : {}),
          millis,
        });
        if (!torn) continue;
        const number = index / 97 + 1;
        const rest = {
          folder: `findings/${number}`,
          bundle: null,
          replay: `plugpull replay ${number}`,
          expected: false,
        };
        const timeline = Array.from({ length: 500 }, (_, i) => ({
          kind: 'write' as const,
          label: `write ${i}`,
        }));
        const explanation = 'x'.repeat(10_000);
        summary.on({
          type: 'finding',
          number,
          trial: index,
          ...event,
          plan,
          verdict,
          explanation,
          ...rest,
          timeline,
        });
        summary.on({ type: 'note', level: 'info', text: `note ${index}` });
        summary.on({ type: 'skipped', what: `thing ${index}`, reason });
      }
    };
    add(0, 100_000);
    const early = sizeOf(summary);
    add(100_000, 1_000_000);
    expect(summary.trials).to.equal(1_000_000);
    expect(summary.findings).to.have.length(200);
    expect(summary.findingsLeftOut).to.equal(10_310 - 200);
    expect(summary.overTrials.intervals.length).to.be.at.most(96);
    expect(sizeOf(summary)).to.be.at.most(early * 1.01);
  });
});
