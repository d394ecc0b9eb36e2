import { expect } from 'chai';
import { kv } from '../../../workloads/kv.js';
import { advance, battery, freshHeap } from '../../support/workload-battery.js';

describe('workload kv', () => {
  battery(kv);

  it('grows the heap and gives space back', () => {
    const heap = freshHeap(kv, kv.size);
    const sizes: number[] = [];
    for (let k = 1; k <= 60; k++) {
      advance(heap, kv, kv.size, k, k);
      sizes.push(heap.size);
    }
    expect(Math.max(...sizes)).to.be.greaterThan(2 * kv.size.heapBytes);
    expect(sizes.some((size, k) => k > 0 && size < sizes[k - 1]! / 2)).to.equal(true);
  });

  it('keeps a tree of several levels, and an empty one', () => {
    const size = { heapBytes: 64 << 10, items: 3000, changes: 500 };
    const heap = freshHeap(kv, size);
    const heights = new Set<number>();
    for (let k = 1; k <= 14; k++) {
      advance(heap, kv, size, k, k);
      heights.add(new DataView(heap.buffer).getUint32(heap.root + 16, true));
    }
    expect([...heights]).to.include.members([1, 3]);
  });

  it('names the keys that differ', () => {
    const expected = kv.model(1, kv.size).stateAt(3);
    const other = kv.model(1, kv.size).stateAt(4);
    expect(kv.explain?.(expected, other)).to.match(/^of \d+ keys there are .*\(first: \d+\)/);
  });
});
