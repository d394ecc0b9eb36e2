import { expect } from 'chai';
import { choicesText } from '../../../harness/disk/enumerate.js';
import type { Epoch } from '../../../harness/disk/trace-index.js';
import { survivors } from '../../../harness/poweroff/trial.js';

function epoch(lengths: number[]): Epoch {
  const pending = lengths.map((length, i) => ({
    id: i + 1,
    kind: 'write' as const,
    offset: i * 65536,
    length,
    acked: 0,
    step: null,
  }));
  return { number: 4, ackedFirst: 0, ackedLast: 0, pending, step: null, hasAck: false };
}

const drawn = (lengths: number[], count: number): string[] =>
  Array.from({ length: count }, (_, seed) => choicesText(survivors(epoch(lengths), seed, 4096)));

describe('what survives a power-off', () => {
  it('follows from the seed', () => {
    expect(drawn([4096, 8192, 4096], 50)).to.deep.equal(drawn([4096, 8192, 4096], 50));
  });

  it('is nothing at times, all of it, a part of it, and a torn write', () => {
    const all = drawn([4096, 8192, 4096], 400);
    expect(all).to.include('-');
    expect(all).to.include('0,1,2');
    expect(all.some((text) => /^\d$/.test(text))).to.equal(true);
    expect(all.some((text) => text.includes(':'))).to.equal(true);
    expect(all.filter((text) => text === '-').length).to.be.within(80, 250);
  });

  it('is one or the other where a single write is pending, and nothing where none is', () => {
    expect(new Set(drawn([4096], 100))).to.deep.equal(new Set(['-', '0']));
    expect(new Set(drawn([], 20))).to.deep.equal(new Set(['-']));
  });
});
