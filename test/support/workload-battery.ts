/** What every workload must do, whatever its structure: run over a heap in memory, or any that `make` gives. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { NativeHeap } from '../../native/index.js';
import { mix } from '../../workloads/random.js';
import {
  BrokenStructure,
  type ReadState,
  type Workload,
  type WorkloadSize,
} from '../../workloads/workload.js';
import { FakeHeap } from './fake-heap.js';

const page = 4096;
const seed = 20_240_607;

export interface BatteryOptions {
  size?: WorkloadSize;
  commits?: number;
  flips?: number;
}

export function freshHeap(workload: Workload, size: WorkloadSize, from = seed): FakeHeap {
  const heap = new FakeHeap(size.heapBytes, workload.layout);
  workload.initialise(heap, from, size);
  heap.commit();
  return heap;
}

export function advance(
  heap: NativeHeap,
  workload: Workload,
  size: WorkloadSize,
  first: number,
  last: number,
  from = seed,
): void {
  const session = workload.start(heap, from, size);
  for (let k = first; k <= last; k++) {
    session.change(k);
    heap.commit();
  }
  session.close?.();
}

/** The state, or null where the structure is broken. Anything else that is thrown fails the test. */
export function readOrBroken(workload: Workload, heap: NativeHeap, size: WorkloadSize): ReadState | null {
  try {
    return workload.read(heap, seed, size);
  } catch (error) {
    if (error instanceof BrokenStructure) {
      expect(error.message).to.have.length.greaterThan(10);
      return null;
    }
    throw error;
  }
}

export function battery(workload: Workload, options: BatteryOptions = {}): void {
  const size = options.size ?? workload.size;
  const commits = options.commits ?? 60;

  function expectState(heap: NativeHeap, k: number, model = workload.model(seed, size)): void {
    const state = workload.read(heap, seed, size);
    expect(state.commit).to.equal(k);
    const expected = model.stateAt(k);
    if (!Buffer.from(state.bytes).equals(expected)) {
      expect.fail(`commit ${k}: ${workload.explain?.(expected, state.bytes) ?? 'the states differ'}`);
    }
    expect(heap.verify(state.reachable).problems).to.deep.equal([]);
  }

  it(`holds the model's state after each of ${commits} commits`, () => {
    const heap = freshHeap(workload, size);
    const model = workload.model(seed, size);
    expectState(heap, 0, model);
    const session = workload.start(heap, seed, size);
    for (let k = 1; k <= commits; k++) {
      session.change(k);
      heap.commit();
      expectState(heap, k, model);
      expect(heap.lastCommitPages, `commit ${k} changes something`).to.be.greaterThan(0);
    }
  });

  it('goes on from what a crash left, as often as it is asked to', () => {
    let heap = freshHeap(workload, size);
    let done = 0;
    for (let round = 0; round < 12; round++) {
      const upTo = done + (mix(seed, round) % 6);
      advance(heap, workload, size, done + 1, upTo);
      done = upTo;
      workload.start(heap, seed, size).change(done + 1); // lost with the crash
      heap = heap.reopen();
      expectState(heap, done);
    }
  });

  it('does the same again from the same seed, and something else from another', () => {
    const [a, b, c] = [seed, seed, seed + 1].map((from) => {
      const heap = freshHeap(workload, size, from);
      advance(heap, workload, size, 1, 10, from);
      return Buffer.from(workload.read(heap, from, size).bytes);
    });
    expect(a!.equals(b!)).to.equal(true);
    expect(a!.equals(c!)).to.equal(false);
  });

  it('gives the state after a commit whatever was asked for before', () => {
    const asked = workload.model(seed, size);
    const straight = Array.from({ length: 81 }, (_, k) => Buffer.from(workload.model(seed, size).stateAt(k)));
    fc.assert(
      fc.property(fc.array(fc.nat(80), { minLength: 1, maxLength: 12 }), (order) =>
        order.every((k) => straight[k]!.equals(asked.stateAt(k))),
      ),
      { numRuns: 60 },
    );
    expect(() => asked.stateAt(-1)).to.throw('no commit -1');
  });

  it('says what is broken, and only that, whatever bytes are spoiled', () => {
    const heap = freshHeap(workload, size);
    advance(heap, workload, size, 1, 12);
    let broken = 0;
    const flips = options.flips ?? 1500;
    const clean = Buffer.from(new Uint8Array(heap.buffer));
    const { reachable } = workload.read(heap, seed, size);
    for (let i = 0; i < flips; i++) {
      const bytes = new Uint8Array(heap.buffer);
      // Half of them anywhere, half of them in the words at the start of a block, where the links are.
      for (let n = 0; n <= i % 3; n++) {
        const block = reachable[mix(i, n, 3) % reachable.length] ?? 0;
        const at = i % 2 === 0 ? mix(i, n) % bytes.length : block + (mix(i, n, 1) % 32);
        bytes[at] = mix(i, n, 2) & 0xff;
      }
      if (readOrBroken(workload, heap, size) === null) broken++;
      bytes.set(clean);
    }
    expect(broken).to.be.greaterThan(0);
    heap.root = heap.size - 16;
    expect(readOrBroken(workload, heap, size)).to.equal(null);
    heap.root = heap.size * 2;
    expect(readOrBroken(workload, heap, size)).to.equal(null);
  });

  it('sees every page that is older than the rest', () => {
    const heap = freshHeap(workload, size);
    const model = workload.model(seed, size);
    let mixtures = 0;
    for (let k = 1; k <= 25; k++) {
      const before = Buffer.from(new Uint8Array(heap.buffer));
      advance(heap, workload, size, k, k);
      const state = workload.read(heap, seed, size);
      const after = Buffer.from(new Uint8Array(heap.buffer));
      const live = new Uint8Array(after.length);
      for (const offset of state.reachable) live.fill(1, offset, offset + heap.usableSize(offset));
      for (let at = 0; at < Math.min(before.length, after.length); at += page) {
        const old = before.subarray(at, at + page);
        let matters = false;
        for (let i = 0; i < old.length && !matters; i++)
          matters = live[at + i] === 1 && old[i] !== after[at + i];
        if (!matters) continue;
        mixtures++;
        new Uint8Array(heap.buffer).set(old, at);
        const seen = readOrBroken(workload, heap, size);
        // Where all that a commit changed is on one page, the older page makes the commit before, whole.
        const unseen = seen !== null && seen.commit === k && Buffer.from(seen.bytes).equals(model.stateAt(k));
        expect(unseen, `commit ${k} with the page at ${at} of the commit before`).to.equal(false);
        if (seen !== null)
          expect(workload.explain?.(model.stateAt(seen.commit), seen.bytes) ?? 'differs').to.be.a('string');
        new Uint8Array(heap.buffer).set(after);
      }
    }
    expect(mixtures).to.be.greaterThan(20);
  });
}
