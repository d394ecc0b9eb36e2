import { expect } from 'chai';
import { listOf } from '../../../harness/disk/ranges.js';

describe('numbers in words', () => {
  it('joins neighbours, and bounds the list', () => {
    expect(listOf([])).to.equal('');
    expect(listOf([3])).to.equal('3');
    expect(listOf([0, 1, 2, 7])).to.equal('0–2 and 7');
    expect(listOf([1, 3, 5])).to.equal('1, 3 and 5');
    expect(listOf([1, 3, 5, 7, 9, 11])).to.equal('1, 3, 5, 7 and more');
  });
});
