import { expect } from 'chai';
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { native, type NativeHeap } from '../../native/index.js';
import { mix } from '../../workloads/random.js';
import { workloads } from '../../workloads/registry.js';
import {
  createHeapFor,
  differenceFrom,
  implausible,
  openHeapFor,
  readAndVerify,
  runCommits,
  type SessionOptions,
} from '../../workloads/session.js';
import { BrokenStructure, type Workload } from '../../workloads/workload.js';

const seed = 4711;

for (const workload of workloads) {
  describe(`workload ${workload.name} over the native heap`, () => {
    let folder: string;
    let options: SessionOptions;
    const open: NativeHeap[] = [];

    beforeEach(() => {
      folder = mkdtempSync(path.join(tmpdir(), 'workload-'));
      options = { backend: 'redo', path: path.join(folder, 'heap.db'), identity: 99n };
    });
    afterEach(() => {
      for (const heap of open.splice(0)) heap.close();
      rmSync(folder, { recursive: true });
    });

    function kept(heap: NativeHeap | null): NativeHeap {
      if (heap === null) throw new Error('there is no heap');
      open.push(heap);
      return heap;
    }

    function reopened(heap: NativeHeap): NativeHeap {
      open.splice(open.indexOf(heap), 1);
      heap.close();
      return kept(openHeapFor(workload, options));
    }

    function expectState(heap: NativeHeap, k: number, model = workload.model(seed, workload.size)): void {
      const { commit, bytes, problems } = readAndVerify(heap, workload, seed);
      expect(problems).to.deep.equal([]);
      expect(commit).to.equal(k);
      expect(differenceFrom(workload, model.stateAt(k), bytes!)).to.equal(null);
      expect(implausible(heap, k)).to.equal(null);
    }

    it("holds the model's state over commits and openings", () => {
      let heap = kept(createHeapFor(workload, options, seed));
      const model = workload.model(seed, workload.size);
      expectState(heap, 0, model);
      let done = 0;
      for (const upTo of [1, 2, 3, 8, 21, 22, 40, 60]) {
        // While threads are at work the heap holds more than the last commit: it is read after it was opened again.
        runCommits(heap, workload, seed, workload.size, done + 1, upTo);
        done = upTo;
        heap = reopened(heap);
        expectState(heap, done, model);
      }
    });

    for (const { name, failureAtomic, needsReflink } of native.backends()) {
      // Without failure atomicity, what threads write after the last commit is in the file at once.
      if (needsReflink || (workload.name === 'threads' && !failureAtomic)) continue;
      it(`runs on ${name}`, () => {
        options.backend = name;
        const heap = kept(createHeapFor(workload, options, seed));
        const told: number[] = [];
        runCommits(heap, workload, seed, workload.size, 1, 12, (k) => told.push(k));
        expect(told).to.deep.equal(Array.from({ length: 12 }, (_, i) => i + 1));
        expectState(reopened(heap), 12);
      });
    }

    it('is absent before its first commit, and where there is nothing', () => {
      expect(openHeapFor(workload, options)).to.equal(null);
      native
        .createHeap({
          ...options,
          layout: workload.layout,
          size: workload.size.heapBytes,
          fixedAddress: workload.fixedAddress ?? false,
        })
        .close();
      expect(openHeapFor(workload, options)).to.equal(null);
    });

    it('says what is wrong with files that are not its heap', () => {
      createHeapFor(workload, options, seed).close();
      const other: Workload = { ...workload, layout: 'other/1', otherLayouts: ['another/1'] };
      expect(() => openHeapFor(other, options))
        .to.throw(Error)
        .with.property('code', 'HEAP_OTHER_LAYOUT');
      truncateSync(options.path, 100);
      expect(() => openHeapFor(workload, options))
        .to.throw(Error)
        .with.property('code')
        .that.matches(/^HEAP_/);
    });

    it('says what is broken, and only that, whatever bytes of it are spoiled', () => {
      const heap = kept(createHeapFor(workload, options, seed));
      runCommits(heap, workload, seed, workload.size, 1, 5);
      const bytes = new Uint8Array(heap.buffer);
      const clean = bytes.slice();
      const { reachable } = workload.read(heap, seed, workload.size);
      let seen = 0;
      for (let i = 0; i < 600; i++) {
        const block = reachable[mix(i, 1) % reachable.length] ?? 0;
        const within = mix(i, 2) % Math.min(4096, heap.usableSize(block));
        bytes[block + within] = mix(i, 3);
        try {
          const { commit, bytes: state } = workload.read(heap, seed, workload.size);
          if (implausible(heap, commit) !== null) seen++;
          else if (
            differenceFrom(workload, workload.model(seed, workload.size).stateAt(commit), state) !== null
          )
            seen++;
        } catch (error) {
          if (!(error instanceof BrokenStructure)) throw error;
          seen++;
        }
        bytes.set(clean.subarray(block, block + within + 1), block);
      }
      // Some bytes of a block are padding, some were spoiled with what they held before.
      expect(seen).to.be.greaterThan(300);
    });
  });
}
