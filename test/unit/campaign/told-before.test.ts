import { expect } from 'chai';
import { Tally } from '../../../harness/campaign/tally.js';
import { ToldBefore } from '../../../harness/campaign/told-before.js';
import type { StatesExplored } from '../../../harness/core/events.js';

const who = { target: 'a', fault: 'cut', rig: 'disk', fs: 'ext4' } as const;
const event = (counts: StatesExplored['counts'], bySteps: Record<string, number>): StatesExplored => ({
  ...{ type: 'states', ...who, counts, bySteps, of: null, exhaustive: false, millis: 1 },
  states: Object.values(counts).reduce((sum, count) => sum + count, 0),
});

describe('states of which an earlier part of a run has told', () => {
  it('count once, shared among the events of those that come again', () => {
    const tally = new Tally();
    tally.add({ type: 'target-started', target: { ...who, id: 'a', kind: 'backend', expect: 'hold' } });
    tally.add(event({ held: 10, lost: 1 }, { x: 11 }));
    const before = new ToldBefore(tally, who);
    const first = before.beyond(event({ held: 8, lost: 2 }, { x: 9, y: 1 }));
    expect(first).to.deep.include({ states: 1, bySteps: { y: 1 } });
    expect(first.counts).to.include({ held: 0, lost: 1 });
    const second = before.beyond(event({ held: 7 }, { x: 7 }));
    expect(second.counts).to.include({ held: 5 });
    expect(second.states).to.equal(5);
    const third = event({ held: 3 }, { x: 3 });
    expect(before.beyond(third)).to.equal(third);
  });

  it('are none in a run that is new', () => {
    const one = event({ held: 3 }, { x: 3 });
    expect(new ToldBefore(new Tally(), who).beyond(one)).to.equal(one);
  });
});
