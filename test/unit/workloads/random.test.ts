import { expect } from 'chai';
import fc from 'fast-check';
import { fill, mix, Random, spread } from '../../../workloads/random.js';

function filled(count: number, seed: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(((count + 3) & ~3) + 16).slice(0));
  new Uint8Array(view.buffer).fill(0xee);
  fill(view, 8, count, seed);
  return new Uint8Array(view.buffer);
}

describe('randomness of workloads', () => {
  it('is that of the native threads', () => {
    // Computed with native/workloads/threads_work.cc's spread and mix.
    expect([spread(0), spread(1), spread(0xffffffff)]).to.deep.equal([0, 2261973619, 2578835075]);
    expect(mix(1, 2, 3)).to.equal(spread(spread(spread(1) + 2) + 3));
  });

  it('depends on seed, commit and stream', () => {
    const draw = (...of: [number, number, number?]): number => new Random(...of).below(1 << 30);
    expect(draw(1, 2)).to.equal(draw(1, 2));
    expect(new Set([draw(1, 2), draw(2, 1), draw(1, 3), draw(1, 2, 1)]).size).to.equal(4);
  });

  it('stays within what is asked for', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.nat(1e6), fc.integer({ min: 1, max: 1000 }), (seed, k, n) => {
        const random = new Random(seed, k);
        const [below, between, about] = [random.below(n), random.between(-n, n), random.about(n)];
        return (
          below >= 0 && below < n && Math.abs(between) <= n && about >= 1 && about <= Math.floor(1.5 * n)
        );
      }),
    );
  });

  it('fills just the bytes asked for and clears up to the next word', () => {
    for (const count of [0, 1, 3, 4, 7, 259, 260, 261, 519, 520, 1042, 5000]) {
      const bytes = filled(count, 5);
      const end = 8 + ((count + 3) & ~3);
      expect([...bytes.subarray(0, 8), ...bytes.subarray(end)].every((byte) => byte === 0xee)).to.equal(true);
      expect(bytes.subarray(8 + count, end).every((byte) => byte === 0)).to.equal(true);
    }
  });

  it('fills differently for each seed in every word, and no two pages alike', () => {
    const [a, b] = [new DataView(filled(20_000, 5).buffer), new DataView(filled(20_000, 6).buffer)];
    for (let at = 8; at < 20_008; at += 4) expect(a.getUint32(at)).not.to.equal(b.getUint32(at));
    const pages = new Set(
      [0, 1, 2, 3].map((page) => Buffer.from(a.buffer, 8 + page * 4096, 4096).toString('hex')),
    );
    expect(pages.size).to.equal(4);
  });
});
