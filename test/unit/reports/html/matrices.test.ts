import { expect } from 'chai';
import { parseHTML } from 'linkedom';
import type { RunEvent } from '../../../../harness/core/events.js';
import { backendMatrices, guestMatrices } from '../../../../reports/html/matrices.js';
import type { Html } from '../../../../reports/html/markup.js';
import { Summary } from '../../../../reports/summary.js';

type Settings = Record<string, Record<string, number>>;

function* guests(id: string, expected: 'hold' | 'caught', settings: Settings): Generator<RunEvent> {
  const at = { fault: 'poweroff', rig: 'vm' } as const;
  for (const [fs, counts] of Object.entries(settings)) {
    yield { type: 'target-started', target: { id, kind: 'backend', expect: expected, ...at, fs } };
    const states = Object.values(counts).reduce((a, b) => a + b, 0);
    yield { type: 'states', target: id, ...at, fs, counts, states, of: null, exhaustive: false, millis: 1 };
  }
}

function summary(events: Iterable<RunEvent>): Summary {
  const made = new Summary();
  for (const event of events) made.on(event);
  return made;
}

interface Tag {
  querySelectorAll(selector: string): Iterable<Tag>;
  textContent: string;
}

/** The cells of each row, as they are read. */
function cells(html: Html): string[][] {
  const { document } = parseHTML(`<html><body>${html.text}</body></html>`) as unknown as { document: Tag };
  return [...document.querySelectorAll('tr')].map((row) =>
    [...row.querySelectorAll('th, td')].map(({ textContent }) => textContent.replace(/\s+/g, ' ').trim()),
  );
}

describe('verdicts beside each other', () => {
  it('show guests by what their disks lost', () => {
    const { rows } = summary(
      guests('plain/bank', 'caught', {
        'ext4 on 6.1, kept': { held: 50 },
        'ext4 on 6.1, volatile': { held: 3, torn: 1 },
        'xfs on 6.12, kept': { 'not-measured': 2 },
      }),
    );
    const [matrix, ...none] = guestMatrices(rows);
    expect(none).to.deep.equal([]);
    expect(matrix === undefined ? [] : cells(matrix)).to.deep.equal([
      ['guest', 'kept', 'volatile'],
      ['ext4 on 6.1', 'held50 crash states', 'caught1 of 4 crash states'],
      ['xfs on 6.12', 'not measured0 crash states', 'not tried'],
    ]);
    expect(matrix?.text).to.contain('pill neutral').and.not.contain('pill held').and.not.contain('log: ');
  });

  it('call a violation one, where the target should hold', () => {
    const settings = { 'ext4 on 6.1, kept': { held: 9 }, 'ext4 on 6.1, log': { lost: 2 } };
    const more = { 'xfs on 6.1, kept': { held: 9 }, 'xfs on 6.1, log': { held: 5 } };
    const { rows } = summary(guests('redo/bank', 'hold', { ...settings, ...more }));
    expect(guestMatrices(rows).map(cells)).to.deep.equal([
      [
        ['guest', 'kept', 'log'],
        ['ext4 on 6.1', 'held9 crash states', 'violated2 of 2 crash states'],
        ['xfs on 6.1', 'held9 crash states', 'held5 crash states'],
      ],
    ]);
  });

  it('are not drawn where one row or one column would be all, nor for other rigs', () => {
    const one = summary(guests('redo/bank', 'hold', { 'ext4 on 6.1, kept': { held: 9 } }));
    expect(guestMatrices(one.rows)).to.deep.equal([]);
    expect(backendMatrices(one.rows, one)).to.deep.equal([]);
  });
});
