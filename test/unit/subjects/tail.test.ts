import { expect } from 'chai';
import { Tail, lastLines } from '../../../harness/subjects/tail.js';

describe('tail of an output', () => {
  it('keeps everything that fits', () => {
    const tail = new Tail(10);
    tail.push(Buffer.from('abc'));
    tail.push(Buffer.from('defg'));
    expect(tail.toString()).to.equal('abcdefg');
  });

  it('keeps the last bytes and says how many are gone', () => {
    const tail = new Tail(4);
    for (let i = 0; i < 5000; i++) tail.push(Buffer.from(String(i % 10)));
    expect(tail.toString()).to.equal('[4996 bytes before this are not kept]\n6789');
    tail.push(Buffer.from('abcdefgh'));
    expect(tail.toString()).to.equal('[5004 bytes before this are not kept]\nefgh');
    expect(tail.total).to.equal(5008);
  });

  it('makes one sentence of the last lines that hold something', () => {
    expect(lastLines('a\n\n b \nc\n\n', 2)).to.equal('b; c');
    expect(lastLines('')).to.equal('');
    expect(lastLines('x'.repeat(1000), 3, 10)).to.equal(`…${'x'.repeat(10)}`);
  });
});
