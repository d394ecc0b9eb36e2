import { expect } from 'chai';
import { ownTurns, type TurnOptions } from '../../../harness/campaign/turns.js';

/** Gives up where turns are asked for that nobody can use any more: that would never end. */
function* forEver(...turns: string[]): Generator<string, void> {
  for (let asked = 0; ; asked++) {
    if (asked > 10_000) throw new Error('it does not end');
    yield turns[asked % turns.length] ?? '';
  }
}

function options(more: Partial<TurnOptions<string>> = {}): TurnOptions<string> {
  return {
    firstIndex: 0,
    trials: null,
    shard: { index: 1, of: 1 },
    done: new Set(),
    settled: () => false,
    period: 2,
    stopping: () => false,
    ...more,
  };
}

describe('turns of trials', () => {
  it('end once nothing is left that is not settled, with no number of trials given', () => {
    let given = 0;
    const settled = (): boolean => given >= 6;
    const indices = [];
    for (const { index } of ownTurns(forEver('a', 'b'), options({ settled }))) {
      given++;
      indices.push(index);
    }
    expect(indices).to.deep.equal([0, 1, 2, 3, 4, 5]);
  });

  it('go on with one target where the other is settled', () => {
    const turns = ownTurns(forEver('a', 'b'), options({ settled: (turn) => turn === 'a', trials: 6 }));
    expect([...turns]).to.deep.equal([1, 3, 5].map((index) => ({ index, turn: 'b' })));
  });

  it('end where what is left falls to other shards alone', () => {
    const settled = (turn: string): boolean => turn === 'a';
    const first = ownTurns(forEver('a', 'b'), options({ settled, shard: { index: 1, of: 2 } }));
    expect([...first]).to.deep.equal([]);
    const second = ownTurns(forEver('a', 'b'), options({ settled, shard: { index: 2, of: 2 } }));
    expect(second.next().value).to.deep.equal({ index: 1, turn: 'b' });
  });

  it('find the first of their own behind a thousand that are done', () => {
    const done = new Set(Array.from({ length: 1000 }, (_, index) => index));
    const turns = ownTurns(forEver('a', 'b'), options({ done }));
    expect(turns.next().value).to.deep.equal({ index: 1000, turn: 'a' });
  });

  it('stop when they are told to', () => {
    expect([...ownTurns(forEver('a'), options({ stopping: () => true }))]).to.deep.equal([]);
  });
});
