import { expect } from 'chai';
import {
  boundaries,
  byWorth,
  choicesText,
  everything,
  parseChoices,
  prefixes,
  randomRounds,
  singles,
  subsets,
  tears,
  type Batch,
} from '../../../harness/disk/enumerate.js';
import type { Epoch, Operation } from '../../../harness/disk/trace-index.js';
import { epochOf } from '../../support/adaptive-source.js';

const unit = 4096;

function write(id: number, length = unit, acked = 0): Operation {
  return { id, kind: 'write', offset: id * 65_536, length, acked, step: null };
}

function epoch(number: number, pending: Operation[]): Epoch {
  return { number, ackedFirst: 0, ackedLast: 0, pending, step: null, hasAck: false };
}

function texts(batches: Iterable<Batch>): string[] {
  return [...batches].flatMap(({ epoch: { number }, choices }) =>
    choices.map((one) => `${number}/${choicesText(one)}`),
  );
}

describe('crash states in order', () => {
  const two = epoch(1, [write(1), write(2)]);
  const three = epoch(2, [write(3), write(4), write(5)]);

  it('writes choices as it reads them', () => {
    for (const text of ['-', '0', '0,2', '1:3', '0,3:f1,12']) {
      expect(choicesText(parseChoices(text))).to.equal(text);
    }
    expect(() => parseChoices('x')).to.throw('no choice');
    expect([...parseChoices('0:5').values()][0]).to.deep.equal([true, false, true, false]);
  });

  it('begins with nothing and everything of each epoch', () => {
    expect(texts(boundaries([epoch(0, []), two]))).to.deep.equal(['0/-', '1/-', '1/0,1']);
  });

  it('tries each write alone absent and alone present', () => {
    expect(texts(singles([epoch(0, [write(9)]), three]))).to.deep.equal([
      '2/1,2',
      '2/0',
      '2/0,2',
      '2/1',
      '2/0,1',
      '2/2',
    ]);
  });

  it('tries what a device that keeps the order leaves', () => {
    expect(texts(prefixes([two, three]))).to.deep.equal(['2/0,1']);
  });

  it('tears only what is longer than a unit, and never into a whole or nothing', () => {
    expect(texts(tears([two], unit))).to.deep.equal([]);
    const torn = texts(tears([epoch(1, [write(1), write(2, 4 * unit)])], unit));
    expect(torn).to.include('1/0,1:3').and.include('1/1:c').and.include('1/0,1:e');
    expect(torn.every((text) => !text.includes(':f') && !text.includes(':0'))).to.equal(true);
    expect(texts(tears([epoch(1, [write(1)])], 512))).to.have.length.greaterThan(0);
  });

  it('enumerates every subset once, and counts them', () => {
    const all = texts(everything([two, three]));
    expect(all).to.have.length(12);
    expect(new Set(all)).to.have.length(12);
    expect(subsets([two, three])).to.equal(12);
    expect(
      subsets([
        epoch(
          0,
          Array.from({ length: 60 }, (_, i) => write(i)),
        ),
      ]),
    ).to.equal(null);
  });

  it('draws the same random states from the same seed, and others from another', () => {
    const some = (seed: number): string[] => {
      const found: string[] = [];
      for (const batch of randomRounds([three, epoch(3, [write(6, 8 * unit), write(7)])], seed, unit)) {
        found.push(...texts([batch]));
        if (found.length > 200) break;
      }
      return found;
    };
    expect(some(1)).to.deep.equal(some(1));
    expect(some(1)).to.not.deep.equal(some(2));
    expect(some(1).some((text) => text.includes(':'))).to.equal(true);
    expect(texts(randomRounds([epoch(0, []), epoch(1, [write(1)])], 1, unit))).to.deep.equal([]);
  });
});

describe('epochs by their worth', () => {
  const at = (number: number, hasAck: boolean): Epoch => ({ ...epochOf(1, number), hasAck });
  const numbers = (epochs: Epoch[]): number[] => byWorth(epochs).map(({ number }) => number);

  it('are the one given first, then those around acks, and the whole run in a few of them', () => {
    const epochs = Array.from({ length: 400 }, (_, i) => at(i, i % 10 === 5));
    const sorted = numbers(epochs);
    expect(new Set(sorted).size).to.equal(400);
    expect(sorted[0]).to.equal(0);
    const around = new Set(epochs.flatMap(({ number, hasAck }) => (hasAck ? [number, number + 1] : [])));
    expect(sorted.slice(1, 81).every((number) => around.has(number))).to.equal(true);
    const few = [0, ...sorted.slice(1, 17).sort((a, b) => a - b), 400];
    const gaps = few.slice(1).map((number, i) => number - (few[i] ?? 0));
    expect(Math.max(...gaps)).to.be.lessThan(60);
  });

  it('turn back seldom, since states are made forward', () => {
    const sorted = numbers(Array.from({ length: 1000 }, (_, i) => at(i, false)));
    const back = sorted.filter((number, i) => i > 0 && number < (sorted[i - 1] ?? 0)).length;
    expect(back).to.be.lessThan(11);
  });
});
