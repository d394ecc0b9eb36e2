import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadModule } from '../../../workloads/load-module.js';
import type { Workload } from '../../../workloads/workload.js';
import { FakeHeap } from '../../support/fake-heap.js';

describe('the workload in the documentation', () => {
  let folder: string;
  let tally: Workload;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'tally-'));
    const page = readFileSync(path.join(import.meta.dirname, '../../../docs/workloads.md'), 'utf8');
    const code = /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const file = path.join(folder, 'tally.mjs');
    writeFileSync(file, code);
    tally = await loadModule(file);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('holds its own model after every commit, also when it is opened again', () => {
    const { size } = tally;
    let heap = new FakeHeap(size.heapBytes, tally.layout);
    tally.initialise(heap, 7, size);
    heap.commit();
    for (let k = 1; k <= 20; k++) {
      tally.start(heap, 7, size).change(k);
      heap.commit();
      if (k % 5 === 0) heap = heap.reopen();
      const state = tally.read(heap, 7, size);
      expect(state.commit).to.equal(k);
      expect(Buffer.from(state.bytes).equals(tally.model(7, size).stateAt(k))).to.equal(true);
      expect(heap.verify(state.reachable).problems).to.deep.equal([]);
    }
  });

  it('says what is broken', () => {
    const heap = new FakeHeap(tally.size.heapBytes, tally.layout);
    tally.initialise(heap, 7, tally.size);
    new DataView(heap.buffer).setUint32(heap.root + 4, 5, true);
    expect(() => tally.read(heap, 7, tally.size))
      .to.throw('the number of counters is wrong')
      .with.property('name', 'BrokenStructure');
  });
});
