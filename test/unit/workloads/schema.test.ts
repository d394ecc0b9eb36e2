import { expect } from 'chai';
import { schema } from '../../../workloads/schema.js';
import { advance, battery, freshHeap } from '../../support/workload-battery.js';

describe('workload schema', () => {
  battery(schema);

  it('upgrades over several commits and renames the layout with the last of them', () => {
    const heap = freshHeap(schema, schema.size);
    const upgraded: number[] = [];
    for (let k = 1; k <= 14; k++) {
      advance(heap, schema, schema.size, k, k);
      const view = new DataView(heap.buffer);
      upgraded.push(view.getUint32(heap.root + 16, true));
      const whole = upgraded.at(-1) === schema.size.items;
      expect(heap.layout).to.equal(whole ? 'schema/2' : 'schema/1');
      expect(view.getUint32(heap.root + 4, true)).to.equal(whole ? 2 : 1);
    }
    expect(new Set(upgraded).size).to.be.greaterThan(4);
    expect(upgraded[0]).to.equal(0);
    expect(upgraded.at(-1)).to.equal(schema.size.items);
  });

  it('calls a heap broken whose layout and data are of two versions', () => {
    const heap = freshHeap(schema, schema.size);
    heap.layout = 'schema/2';
    expect(() => schema.read(heap, 1, schema.size)).to.throw('the data are of version 1, but the heap');
  });
});
