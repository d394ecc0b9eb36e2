import { expect } from 'chai';
import { rowNames } from '../../../reports/row-names.js';
import { Row } from '../../../reports/summary-row.js';

function row(id: string, fault: 'kill' | 'cut', rig: string, fs?: string): Row {
  return new Row({ id, kind: 'command', expect: 'hold', fault, rig, ...(fs === undefined ? {} : { fs }) });
}

describe('names of rows beside each other', () => {
  it('say what differs, and once what does not', () => {
    expect(rowNames([row('a', 'cut', 'disk', 'ext4'), row('a', 'cut', 'disk', 'xfs')])).to.deep.equal({
      names: ['ext4', 'xfs'],
      common: 'a, cut on disk',
    });
    expect(rowNames([row('a', 'kill', 'host'), row('b', 'kill', 'host')])).to.deep.equal({
      names: ['a', 'b'],
      common: 'kill on host',
    });
    expect(rowNames([row('a', 'cut', 'disk', 'ext4'), row('b', 'cut', 'disk', 'ext4')])).to.deep.equal({
      names: ['a', 'b'],
      common: 'cut on disk (ext4)',
    });
  });

  it('leave nothing out where all differ, or there is one', () => {
    expect(rowNames([row('a', 'kill', 'host'), row('b', 'cut', 'disk', 'ext4')])).to.deep.equal({
      names: ['a · kill on host', 'b · cut on disk (ext4)'],
      common: '',
    });
    expect(rowNames([row('a', 'kill', 'host'), row('a', 'cut', 'model')]).names).to.deep.equal([
      'kill on host',
      'cut on model',
    ]);
    expect(rowNames([row('a', 'kill', 'host')]).names).to.deep.equal(['a']);
    expect(rowNames([])).to.deep.equal({ names: [], common: '' });
  });

  it('are never the same for rows that differ', () => {
    const rows = ['ext4', 'xfs', undefined].flatMap((fs) => [
      row('a', 'cut', 'disk', fs),
      row('b', 'cut', 'disk', fs),
    ]);
    expect(new Set(rowNames(rows).names).size).to.equal(rows.length);
  });
});
