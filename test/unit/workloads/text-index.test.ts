import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { lookUp, textIndex } from '../../../workloads/text-index.js';
import { loadText, maxTextBytes } from '../../../workloads/text.js';
import { advance, battery, freshHeap } from '../../support/workload-battery.js';

describe('workload text-index', () => {
  battery(textIndex);

  let folder: string;
  beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'text-index-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  function sizeFor(content: string | Buffer): typeof textIndex.size & { input: string } {
    const input = path.join(folder, 'text.txt');
    writeFileSync(input, content);
    return { ...textIndex.size, changes: 7, input };
  }

  it('finds the words of a file that the user names, where grep finds them', () => {
    const content = 'Über die Brücke, über den Fluss: 3 boats, THREE Boats. '.repeat(9);
    const size = sizeFor(content);
    const heap = freshHeap(textIndex, size, 0);
    advance(heap, textIndex, size, 1, 11, 0);
    const words = content
      .toLowerCase()
      .split(/[^\p{L}\p{N}]+/u)
      .filter((word) => word !== '');
    const covered = words.slice(0, 77);
    for (const word of ['über', 'boats', '3', 'fluss', 'three']) {
      expect(lookUp(heap, word), word).to.deep.equal(
        covered.flatMap((other, position) => (other === word ? [position] : [])),
      );
    }
    expect(lookUp(heap, 'lake')).to.deep.equal([]);
  });

  it('takes all out again after the end, and begins anew', () => {
    const size = sizeFor('one two three four five six seven eight nine ten '.repeat(4));
    const heap = freshHeap(textIndex, size, 0);
    const covered: number[] = [];
    for (let k = 1; k <= 14; k++) {
      advance(heap, textIndex, size, k, k, 0);
      covered.push(lookUp(heap, 'seven').length);
    }
    expect(covered).to.deep.equal([1, 1, 2, 3, 3, 4, 3, 3, 2, 1, 0, 0, 1, 1]);
    expect(heap.verify(textIndex.read(heap, 0, size).reachable).problems).to.deep.equal([]);
  });

  it('refuses an index of another text', () => {
    const size = sizeFor('some words to index');
    const heap = freshHeap(textIndex, size, 0);
    writeFileSync(size.input, 'some other words to index');
    expect(() => textIndex.read(heap, 0, size)).to.throw('the index was not made from');
  });

  it('says what is wrong with a file that it cannot use', () => {
    expect(() => loadText(path.join(folder, 'none'))).to.throw(/none cannot be read: ENOENT/);
    expect(() => loadText(folder)).to.throw(/cannot be read: EISDIR/);
    expect(() => loadText(sizeFor('- - -').input)).to.throw(/text\.txt holds no words to index/);
  });

  it('reads the first part of a large file, and bytes that are no text', () => {
    expect(loadText(sizeFor('word '.repeat(maxTextBytes / 2)).input).tokens.length).to.equal(
      Math.ceil(maxTextBytes / 5),
    );
    const noise = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) & 0xff));
    const size = sizeFor(noise);
    const heap = freshHeap(textIndex, size);
    advance(heap, textIndex, size, 1, 20);
    const state = textIndex.read(heap, 20_240_607, size);
    expect(Buffer.from(state.bytes).equals(textIndex.model(20_240_607, size).stateAt(20))).to.equal(true);
  });
});
