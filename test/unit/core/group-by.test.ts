import { expect } from 'chai';
import { groupBy } from '../../../harness/core/group-by.js';

describe('groups by a key', () => {
  it('keep the order of what was seen, and lose nothing', () => {
    const groups = groupBy([3, 1, 4, 1, 5, 9, 2, 6], (number) => (number % 2 === 0 ? 'even' : 'odd'));
    expect([...groups]).to.deep.equal([
      ['odd', [3, 1, 1, 5, 9]],
      ['even', [4, 2, 6]],
    ]);
    expect([...groupBy([], String)]).to.deep.equal([]);
  });
});
