import { expect } from 'chai';
import type { RunEvent } from '../../../harness/core/events.js';
import { Tally, conclude } from '../../../harness/campaign/tally.js';
import { keptCaveat, missedByKilling, sideBySide } from '../../../reports/power-off.js';
import { settingOf } from '../../../reports/setting.js';
import { Summary } from '../../../reports/summary.js';
import { caveats, triedSentences } from '../../../reports/words.js';

const at = { fault: 'poweroff', rig: 'vm' } as const;

function started(id: string, fs: string, expected: 'hold' | 'caught'): RunEvent {
  const backend = id.split('/')[0] ?? '';
  return { type: 'target-started', target: { id, kind: 'backend', backend, expect: expected, ...at, fs } };
}

function states(target: string, fs: string, counts: Record<string, number>): RunEvent {
  const sum = Object.values(counts).reduce((a, b) => a + b, 0);
  return { type: 'states', target, ...at, fs, counts, states: sum, of: null, exhaustive: false, millis: 1 };
}

const events: RunEvent[] = [
  started('redo/bank', 'ext4 on 6.1, kept', 'hold'),
  started('redo/bank', 'ext4 on 6.1, volatile', 'hold'),
  started('plain/bank', 'ext4 on 6.1, kept', 'caught'),
  started('plain/bank', 'ext4 on 6.1, volatile', 'caught'),
  started('plain/bank', 'ext4 on 6.1, log', 'caught'),
  states('redo/bank', 'ext4 on 6.1, kept', { held: 5 }),
  states('redo/bank', 'ext4 on 6.1, volatile', { held: 7 }),
  states('plain/bank', 'ext4 on 6.1, kept', { held: 50 }),
  states('plain/bank', 'ext4 on 6.1, volatile', { held: 3, torn: 1 }),
  states('plain/bank', 'ext4 on 6.1, log', { held: 1, lost: 5 }),
];

function summary(all = events): Summary {
  const made = new Summary();
  for (const event of all) made.on(event);
  return made;
}

describe('a report of power-offs', () => {
  it('takes the setting of a guest apart', () => {
    expect(settingOf({ rig: 'vm', fs: 'ext4:data=writeback on 6.1, kept' })).to.deep.equal({
      where: 'ext4:data=writeback on 6.1',
      mode: 'kept',
    });
    expect(settingOf({ rig: 'disk', fs: 'ext4' })).to.equal(null);
    expect(settingOf({ rig: 'vm' })).to.equal(null);
  });

  it('puts side by side what kept and what lost showed', () => {
    const [redo, plain, ...none] = sideBySide(summary());
    expect(none).to.deep.equal([]);
    expect([redo?.target, redo?.kept?.counts.held, redo?.cut.length]).to.deep.equal(['redo/bank', 5, 1]);
    expect([plain?.target, plain?.kept?.counts.held, plain?.cut.length]).to.deep.equal(['plain/bank', 50, 2]);
  });

  it('says what killing QEMU alone would have missed, and nothing of what it showed too', () => {
    expect(missedByKilling(summary())).to.deep.equal([
      'plain/bank on ext4 on 6.1: killing QEMU alone held 50 times; with what was not flushed lost, 6 of 10 crashes violated.',
    ]);
    expect(triedSentences(summary()).join(' ')).to.contain('killing QEMU alone held 50 times');
    const shown = [...events, states('plain/bank', 'ext4 on 6.1, kept', { torn: 1 })];
    expect(missedByKilling(summary(shown))).to.deep.equal([]);
  });

  it('says what a disk that keeps all is blind to', () => {
    expect(caveats(summary()).join(' ')).to.contain('A disk that keeps all it was sent');
    expect(keptCaveat(summary(events.filter((event) => !JSON.stringify(event).includes('kept'))))).to.equal(
      null,
    );
  });

  it('takes a control for caught where any of its settings caught it', () => {
    const controls = summary().controls;
    expect(controls.map(({ name, caught }) => [name, caught])).to.deep.equal([
      ['plain (poweroff on vm)', true],
    ]);
    const tally = new Tally();
    for (const event of events) tally.add(event);
    expect(conclude(tally, null).verdict).to.equal('held');
  });
});
