import { expect } from 'chai';
import fc from 'fast-check';
import { Histogram } from '../../../reports/histogram.js';
import { OverTrials, shownAs } from '../../../reports/over-trials.js';
import { clip, duration, grouped, lines, oneLine, percent, wrap } from '../../../reports/text.js';
import { hostileText } from '../../support/events.js';

describe('Histogram', () => {
  it('gives quantiles within 9 % and never above the largest value', () => {
    const values = fc.array(fc.double({ min: 0.002, max: 1e6, noNaN: true }), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (millis, share) => {
        const histogram = new Histogram();
        for (const value of millis) histogram.add(value);
        const sorted = [...millis].sort((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? 0;
        const quantile = histogram.quantile(share) ?? 0;
        expect(quantile).to.be.at.least(exact * 0.9999);
        expect(quantile).to.be.at.most(Math.min(exact * 1.091, Math.max(...millis)) * 1.0001);
      }),
    );
  });

  it('is empty, takes zero and huge values, leaves out what is no duration, and merges', () => {
    const histogram = new Histogram();
    expect(histogram.quantile(0.5)).to.equal(null);
    expect(histogram.buckets()).to.deep.equal([]);
    for (const value of [0, 1e12, NaN, -1, Infinity]) histogram.add(value);
    expect(histogram.total).to.equal(2);
    const other = new Histogram();
    other.add(5);
    other.merge(histogram);
    expect(other.total).to.equal(3);
    expect(other.max).to.equal(1e12);
    expect(other.buckets().reduce((sum, { count }) => sum + count, 0)).to.equal(3);
  });
});

describe('OverTrials', () => {
  it('loses nothing, keeps the order and stays bounded, for any number of trials', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...shownAs), { maxLength: 2000 }), (trials) => {
        const over = new OverTrials();
        for (const shown of trials) over.add(shown);
        expect(over.trials).to.equal(trials.length);
        expect(over.intervals.length).to.be.at.most(96);
        for (const [i, interval] of over.intervals.entries()) {
          const own = trials.slice(i * over.width, (i + 1) * over.width);
          for (const shown of shownAs) {
            expect(interval[shown]).to.equal(own.filter((one) => one === shown).length);
          }
        }
      }),
    );
  });
});

describe('text', () => {
  it('writes numbers for people', () => {
    expect([0, 999, 1000, 1234567].map(grouped)).to.deep.equal(['0', '999', '1,000', '1,234,567']);
    expect([0, 1, 0.0073, 0.15, 0.00000123].map(percent)).to.deep.equal([
      '0 %',
      '100 %',
      '0.73 %',
      '15 %',
      '0.00012 %',
    ]);
    expect([0.02, 3.21, 42.4, 1400, 60_000, 125_000, 11_040_000].map(duration)).to.deep.equal([
      '20 µs',
      '3.2 ms',
      '42 ms',
      '1.4 s',
      '1 min 0 s',
      '2 min 5 s',
      '3 h 4 min',
    ]);
  });

  it('leaves no control character, no escape sequence and no reordering in a line', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constant(hostileText),
      fc.constant('\u001b[2J\u001b]52;c;x'),
    );
    // eslint-disable-next-line no-control-regex -- that is what must not be there
    const forbidden = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
    fc.assert(fc.property(anything, (text) => !forbidden.test(oneLine(text))));
    expect(lines('a\u001b]0;x\u0007 \r\n  b\rc\u0000\n')).to.equal('a\nb\nc');
    expect(oneLine('\u001b[31mred\u001b[0m and\nblue\u0007')).to.equal('red and blue');
  });

  it('clips with the number of characters left out, and wraps at spaces', () => {
    expect(clip('short', 10)).to.equal('short');
    expect(clip('x'.repeat(100_010), 10)).to.equal(`${'x'.repeat(10)}… (100,000 more characters)`);
    expect(clip('only bytes that were never flushed', 20)).to.equal(
      'only bytes that were… (14 more characters)',
    );
    expect(wrap('one two three', 8)).to.deep.equal(['one two', 'three']);
    expect(wrap('a-very-long-word b', 4)).to.deep.equal(['a-very-long-word', 'b']);
  });
});
