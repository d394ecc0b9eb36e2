import { expect } from 'chai';
import fc from 'fast-check';
import { stlMap } from '../../../workloads/stl-map.js';
import { threadsWorkload } from '../../../workloads/threads.js';

// Both work through native code: over a real heap they are tested in test/integration/workloads.test.ts.
for (const workload of [stlMap, threadsWorkload]) {
  describe(`the model of workload ${workload.name}`, () => {
    const asked = workload.model(5, workload.size);

    it('gives the state after a commit whatever was asked for before', () => {
      const straight = Array.from({ length: 61 }, (_, k) =>
        Buffer.from(workload.model(5, workload.size).stateAt(k)),
      );
      fc.assert(
        fc.property(fc.array(fc.nat(60), { minLength: 1, maxLength: 10 }), (order) =>
          order.every((k) => straight[k]!.equals(asked.stateAt(k))),
        ),
        { numRuns: 50 },
      );
    });

    it('differs from commit to commit and from seed to seed', () => {
      expect(Buffer.from(asked.stateAt(3)).equals(asked.stateAt(4))).to.equal(false);
      expect(Buffer.from(asked.stateAt(3)).equals(workload.model(6, workload.size).stateAt(3))).to.equal(
        false,
      );
    });
  });
}

describe('how native workloads say what differs', () => {
  it('by key', () => {
    const model = stlMap.model(5, stlMap.size);
    expect(stlMap.explain?.(model.stateAt(3), model.stateAt(4))).to.match(
      /^key 0 holds 4 where 3 is right; \d+ of \d+ keys differ$/,
    );
  });

  it('by thread', () => {
    const expected = threadsWorkload.model(5, threadsWorkload.size).stateAt(3);
    const found = expected.slice();
    const slot = threadsWorkload.size.items - 1;
    found[8 + 4 * slot]! ^= 1;
    expect(threadsWorkload.explain?.(expected, found)).to.equal(
      `1 slots of thread 3 hold another commit's values (first: slot ${slot})`,
    );
  });
});
