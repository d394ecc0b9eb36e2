import { expect } from 'chai';
import fc from 'fast-check';
import { native, type NativeHeap } from '../../../native/index.js';
import { errorOf, heapOptions, temporaryFolder } from './support.js';

describe('the native std::map', () => {
  let dir: string;
  let remove: () => void;
  beforeEach(() => ({ dir, remove } = temporaryFolder()));
  afterEach(() => remove());
  const options = () => heapOptions(dir, { fixedAddress: true });

  it('agrees with a JavaScript map, and is found again after a commit', () => {
    let heap = native.createHeap(options());
    let map = native.openStlMap(heap);
    const model = new Map<number, number>();
    const key = fc.integer({ min: 0, max: 200 });
    const act = fc.oneof(
      fc.record({ key, value: fc.maxSafeNat() }),
      fc.record({ key, value: fc.constant(null) }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 100 }), (acts) => {
        for (const one of acts) {
          if (one.value === null) expect(map.erase(one.key)).to.equal(model.delete(one.key));
          else {
            map.insert(one.key, one.value);
            model.set(one.key, one.value);
          }
          expect(map.get(one.key)).to.equal(model.get(one.key));
        }
        heap.commit();
        heap.close();
        heap = native.openHeap(options());
        map = native.openStlMap(heap);
        expect(map.size).to.equal(model.size);
        const pairs = [...model].sort(([a], [b]) => a - b).flat();
        expect([...map.entries()]).to.deep.equal(pairs);
        expect(heap.verify(map.blocks()).problems).to.deep.equal([]);
      }),
      { numRuns: 30 },
    );
    heap.close();
    expect(errorOf(() => map.get(1))?.message).to.equal('the heap is closed');
  });

  it('throws where its tree is not sound', () => {
    const heap = native.createHeap(options());
    const map = native.openStlMap(heap);
    for (let key = 0; key < 10; key++) map.insert(key, key);
    const [, node = 0] = map.blocks();
    new BigUint64Array(heap.buffer, node, 3)[2] = 12345n;
    expect(errorOf(() => map.entries())?.message).to.match(/^the map is broken: /);
    heap.close();
  });

  it('wants a heap at a fixed address, and sound arguments', () => {
    const heap = native.createHeap(heapOptions(dir));
    expect(errorOf(() => native.openStlMap(heap))).to.be.instanceOf(RangeError);
    expect(errorOf(() => native.openStlMap({} as NativeHeap))).to.be.instanceOf(TypeError);
    heap.close();
    expect(errorOf(() => native.openStlMap(heap))?.message).to.equal('the heap is closed');
  });
});

/** The description in native/index.ts, once more. */
function slotsAfter(last: number, threads: number, count: number, seed: number, writes: number): Uint32Array {
  const spread = (value: number): number => {
    let x = value | 0;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  };
  const slots = new Uint32Array(count);
  for (let k = 1; k <= last; k++) {
    for (let t = 0; t < threads; t++) {
      const first = Math.floor((count * t) / threads);
      const share = Math.floor((count * (t + 1)) / threads) - first;
      const base = spread(spread(spread(seed) + k) + t);
      for (let j = 0; share > 0 && j < writes; j++) {
        slots[first + (spread(base + 2 * j) % share)] = spread(base + 2 * j + 1);
      }
    }
  }
  return slots;
}

describe('native threads', () => {
  it('write what their description says, commit by commit', () => {
    const { dir, remove } = temporaryFolder();
    for (const [threads, slots, writes] of [
      [1, 10, 16],
      [4, 1000, 30],
      [7, 3, 5],
    ] as const) {
      const place = { path: `${dir}/threads-${threads}` };
      const heap = native.createHeap(heapOptions(dir, place));
      const array = heap.allocate(slots * 4);
      heap.root = array;
      heap.commit();
      const work = native.startThreads(heap, { threads, slots, array, seed: 2 ** 32 + 9, from: 0, writes });
      for (let k = 1; k <= 6; k++) work.commit(k);
      expect(errorOf(() => work.commit(9))).to.be.instanceOf(RangeError);
      heap.close(); // stops them
      expect(errorOf(() => work.commit(7))).to.be.instanceOf(Error);
      const again = native.openHeap(heapOptions(dir, place));
      const found = new Uint32Array(again.buffer, again.root, slots);
      expect([...found]).to.deep.equal([...slotsAfter(6, threads, slots, 9, writes)]);
      again.close();
    }
    remove();
  });
});
