import { expect } from 'chai';
import { duration, list, positiveInteger, probability, seed, shard } from '../../../harness/cli/options.js';

describe('flags', () => {
  it('take what is meant', () => {
    expect(list('a,b')).to.deep.equal(['a', 'b']);
    expect(list('c', ['a'])).to.deep.equal(['a', 'c']);
    expect(shard('2/4')).to.deep.equal({ index: 2, of: 4 });
    expect(duration('5m')).to.equal(300_000);
    expect(seed('0')).to.equal(0);
  });

  const refused: [string, (value: string) => unknown, string[]][] = [
    ['a list', list, ['', 'a,,b']],
    ['a shard', shard, ['0/4', '5/4', '1', 'a/b', '1/99999']],
    ['a duration', duration, ['5', '0s', 'soon']],
    ['a number', positiveInteger, ['0', '-1', '1.5', 'x', '1e9']],
    ['a seed', seed, ['-1', '2147483648', 'x', '']],
    ['a probability', probability, ['0', '1', '-0.1', 'x']],
  ];
  for (const [what, parse, values] of refused) {
    it(`refuse what is not ${what}`, () => {
      for (const value of values) expect(() => parse(value), value).to.throw(/needed/);
    });
  }
});
