import { expect } from 'chai';
import fc from 'fast-check';
import { chmodSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { native, type HeapOptions, type NativeHeap } from '../../../native/index.js';
import { errorOf, heapOptions, temporaryFolder } from './support.js';

describe('a native heap', () => {
  let dir: string;
  let remove: () => void;
  beforeEach(() => ({ dir, remove } = temporaryFolder()));
  afterEach(() => remove());

  const created = (more: Partial<HeapOptions> = {}): NativeHeap => native.createHeap(heapOptions(dir, more));
  const opened = (more: Partial<HeapOptions> = {}): NativeHeap => native.openHeap(heapOptions(dir, more));

  it('keeps what was committed, and only that', () => {
    let heap = created();
    const block = heap.allocate(64);
    heap.root = block;
    new Uint32Array(heap.buffer, block, 1)[0] = 1;
    heap.commit();
    expect(heap.sequence).to.equal(1);
    expect(heap.lastCommitPages).to.be.greaterThan(0);
    new Uint32Array(heap.buffer, block, 1)[0] = 2;
    heap.close();
    heap = opened();
    expect(heap.root).to.equal(block);
    expect(heap.layout).to.equal('test/1');
    expect(new Uint32Array(heap.buffer, block, 1)[0]).to.equal(1);
    expect(heap.verify(Float64Array.of(block))).to.deep.equal({
      problems: [],
      allocatedBlocks: 1,
      allocatedBytes: 64,
      freePages: 13,
    });
    heap.close();
  });

  it('takes the buffer away when it is closed or changes its size', () => {
    const heap = created();
    const before = heap.buffer;
    expect(heap.buffer).to.equal(before);
    expect(before.byteLength).to.equal(heap.size);
    heap.allocate(16);
    expect(heap.buffer).to.equal(before);
    heap.allocate(40 * 4096);
    expect(before.byteLength).to.equal(0);
    const grown = heap.buffer;
    expect(grown.byteLength).to.equal(heap.size);
    heap.close();
    expect(grown.byteLength).to.equal(0);
    heap.close();
    expect(errorOf(() => heap.buffer)?.message).to.equal('the heap is closed');
    expect(errorOf(() => heap.allocate(1))?.message).to.equal('the heap is closed');
  });

  it('stays sound over any sequence of allocations and releases', () => {
    const act = fc.oneof(
      fc.record({ allocate: fc.integer({ min: 1, max: 9000 }) }),
      fc.record({ release: fc.nat(1000) }),
      fc.constant({ reopen: true }),
    );
    let name = 0;
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const place = { path: path.join(dir, `heap${name++}`) };
        let heap = created(place);
        const blocks: number[] = [];
        for (const one of acts) {
          if ('allocate' in one) blocks.push(heap.allocate(one.allocate));
          else if ('release' in one) {
            const [block] = blocks.splice(one.release % (blocks.length || 1), 1);
            if (block !== undefined) heap.release(block);
          } else {
            heap.commit();
            heap.close();
            heap = opened(place);
          }
          expect(heap.verify(Float64Array.from(blocks)).problems).to.deep.equal([]);
        }
        heap.close();
      }),
      { numRuns: 40 },
    );
  });

  it('reports offsets that are none as problems, whatever number they are', () => {
    const heap = created();
    const { problems } = heap.verify(Float64Array.of(NaN, -1, 1.5, Infinity, 2 ** 60));
    expect(problems.join(' ')).to.contain('is reached but not allocated');
    heap.close();
  });

  it('refuses other files by a code', () => {
    const code = (more: Partial<HeapOptions> = {}): string | undefined => errorOf(() => opened(more))?.code;
    expect(code()).to.equal('HEAP_ABSENT');
    created().close();
    expect(code()).to.equal('HEAP_ABSENT');
    const place = { path: path.join(dir, 'other.db') };
    const heap = created(place);
    heap.commit();
    heap.close();
    expect(errorOf(() => opened({ ...place, layout: 'kv/1' }))).to.include({
      code: 'HEAP_OTHER_LAYOUT',
      path: place.path,
      message: `${place.path}: holds layout test/1, this program expects kv/1`,
    });
    expect(code({ ...place, fixedAddress: true })).to.equal('HEAP_OTHER_ADDRESS');
    opened({ ...place, layout: '' }).close();
    truncateSync(place.path, 100);
    expect(code(place)).to.match(/^HEAP_(TRUNCATED|CORRUPT)$/);
    const text = { path: path.join(dir, 'text'), backend: 'copy' };
    writeFileSync(text.path, 'not a heap at all'.repeat(1000));
    expect(code(text)).to.match(/^HEAP_/);
  });

  it('says operation, path and errno of what the OS refuses', () => {
    const full = native.faultyStorage({ operation: 'pwrite', nth: 1, errno: 'ENOSPC' });
    expect(full.kind).to.equal('faulty');
    const error = errorOf(() => created({ storage: full }));
    expect(error).to.include({ code: 'ENOSPC', errno: 28 });
    expect(error?.path).to.contain(dir);
    expect(error?.operation).to.be.a('string');
    if (process.getuid?.() === 0) return; // root may write anywhere
    chmodSync(dir, 0o500);
    expect(errorOf(() => created())?.code).to.equal('EACCES');
    chmodSync(dir, 0o700);
  });

  it('refuses further commits after one that failed', () => {
    let failed = 0;
    for (let nth = 1; nth <= 8; nth++) {
      const storage = native.faultyStorage({ operation: 'datasync', nth, errno: 'EIO' });
      const place = { path: path.join(dir, `heap${nth}`), storage };
      let heap: NativeHeap;
      try {
        heap = created(place);
      } catch {
        continue; // the creation met the fault
      }
      for (let commits = 0; commits < 10 && failed < nth; commits++) {
        heap.allocate(5000);
        const error = errorOf(() => heap.commit());
        if (error === undefined) continue;
        expect(error.code).to.equal('EIO');
        failed = nth;
        // The storage works again, but nobody knows what the failed flush has lost.
        expect(errorOf(() => heap.commit())?.code).to.equal('EIO');
      }
      heap.close();
    }
    expect(failed).to.be.greaterThan(0);
  });

  it('a read-only heap refuses changes', () => {
    const heap = created();
    heap.commit();
    heap.close();
    const reader = opened({ readOnly: true });
    expect(errorOf(() => reader.allocate(1))?.code).to.equal('EROFS');
    expect(errorOf(() => reader.commit())?.code).to.equal('EROFS');
    reader.close();
  });

  it('names the option or argument that is wrong', () => {
    const wrong = (more: object): string | undefined =>
      errorOf(() => native.createHeap({ ...heapOptions(dir), ...more }))?.message;
    expect(wrong({ backend: 'none' })).to.match(/^there is no backend named none; there are redo/);
    expect(wrong({ backend: 3 })).to.equal('backend must be a string');
    expect(wrong({ path: '' })).to.equal('path must not be empty');
    expect(wrong({ path: 'a\0b' })).to.equal('path must be a string without zero bytes');
    expect(wrong({ layout: undefined })).to.equal('layout must be a string');
    expect(wrong({ layout: '' })).to.equal('a layout name has 1 to 63 bytes, this one has 0');
    expect(wrong({ size: undefined })).to.equal('size must be a whole number, zero or more');
    expect(wrong({ size: 100 })).to.match(/multiple of 4096/);
    expect(wrong({ maxSize: 100 })).to.match(/multiple of 4096/);
    expect(wrong({ size: -4096 })).to.equal('size must be a whole number, zero or more');
    expect(wrong({ tracker: 'magic' })).to.match(/^tracker must be auto/);
    expect(wrong({ background: 'yes' })).to.equal('background must be true or false');
    expect(wrong({ identity: 5 })).to.equal('identity must be a bigint');
    expect(wrong({ identity: -1n })).to.match(/64 bits/);
    expect(wrong({ planted: 'redo.no-such-bug' })).to.match(/no planted bug named/);
    expect(wrong({ storage: {} })).to.equal('storage must come from the native core');
    expect(wrong({ readOnly: true })).to.equal('a heap cannot be created readOnly');
    expect(errorOf(() => (native as { createHeap(value?: unknown): unknown }).createHeap())).to.be.instanceOf(
      TypeError,
    );
    const heap = created();
    for (const bytes of [-1, 1.5, NaN, Infinity, '1', undefined]) {
      expect(errorOf(() => heap.allocate(bytes as number))).to.be.instanceOf(TypeError);
    }
    expect(errorOf(() => heap.release(12345))).to.be.instanceOf(RangeError);
    expect(errorOf(() => heap.allocate(2 ** 45))?.code).to.equal('ENOMEM');
    expect(errorOf(() => (heap.root = 2 ** 45))).to.be.instanceOf(RangeError);
    expect(errorOf(() => (heap.layout = ''))).to.be.instanceOf(RangeError);
    expect(errorOf(() => heap.verify([] as unknown as Float64Array))).to.be.instanceOf(TypeError);
    const method = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(heap), 'commit')
      ?.value as () => void;
    expect(errorOf(() => method.call({}))).to.be.instanceOf(Error);
    heap.close();
  });
});

describe('the registries of the native core', () => {
  it('name backends with their steps', () => {
    const backends = native.backends();
    expect(backends.map((b) => b.name)).to.include.members(['redo', 'journal', 'snap', 'copy', 'plain']);
    expect(backends.filter((b) => !b.failureAtomic).map((b) => b.name)).to.deep.equal(['plain']);
    for (const { name, steps } of backends) {
      expect(steps.length).to.be.greaterThan(0);
      for (const step of steps)
        expect(step).to.match(new RegExp(`^${name}\\.(create|commit|recover|checkpoint)\\.`));
    }
  });

  it('name planted bugs, in the heap too', () => {
    const bugs = native.plantedBugs();
    expect(new Set(bugs.map((bug) => bug.name)).size).to.equal(bugs.length);
    const inHeap = bugs.filter((bug) => bug.subject === 'heap');
    expect(inHeap.map((bug) => bug.name)).to.include.members([
      'heap.free-list-outside-commit',
      'heap.marked-after-commit',
      'heap.released-after-commit',
    ]);
    for (const { name } of bugs) expect(name).to.match(/^[a-z]+\.[a-z0-9-]+$/);
  });
});
