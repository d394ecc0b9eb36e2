import { expect } from 'chai';
import { noCounts } from '../../../harness/core/counts.js';
import type { TargetEnded } from '../../../harness/core/events.js';
import { mergeEnds } from '../../../harness/uml/merge-ends.js';

function end(held: number, coverage?: TargetEnded['coverage']): TargetEnded {
  const counts = { ...noCounts(), held };
  const event: TargetEnded = {
    type: 'target-ended',
    target: 'a',
    fault: 'cut',
    rig: 'disk',
    fs: 'ext4',
    counts,
  };
  return coverage === undefined ? event : { ...event, coverage };
}

describe('the ends of shares', () => {
  it('add up, and a step that one of them hit is hit', () => {
    const merged = mergeEnds([
      end(2, { hit: ['x'], missed: ['y', 'z'] }),
      end(3, { hit: ['y'], missed: ['x', 'z'] }),
    ]);
    expect(merged?.counts.held).to.equal(5);
    expect(merged?.coverage).to.deep.equal({ hit: ['x', 'y'], missed: ['z'] });
  });

  it('have no coverage where none of them has', () => {
    expect(mergeEnds([end(1), end(1)])).to.not.have.property('coverage');
  });

  it('keep the coverage of the share that lived, beside one whose machine died', () => {
    expect(mergeEnds([end(1), end(1, { hit: ['x'], missed: [] })])?.coverage?.hit).to.deep.equal(['x']);
  });

  it('are nothing where no share began', () => {
    expect(mergeEnds([])).to.equal(null);
  });
});
