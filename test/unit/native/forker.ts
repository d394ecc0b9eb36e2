/** Run by process.test.ts with --single-threaded: forks children and prints how they ended as JSON. */
import { writeSync } from 'node:fs';
import { native, type ChildEnd } from '../../../native/index.js';
import { heapOptions } from './support.js';

const limits = { timeMs: 30_000, rssBytes: 2 ** 31, outputBytes: 2 ** 20 };

function inChild(body: () => void, its = limits): ChildEnd {
  const pid = native.forkChild();
  if (pid === 0) {
    try {
      body();
      native.exitNow(0);
    } catch {
      native.exitNow(70);
    }
  }
  return native.waitChild(pid, its);
}

const fate = ({ signal, exit }: ChildEnd) => ({ signal, exit });

function many(): unknown {
  const forks = 100;
  let bad = 0;
  for (let i = 0; i < forks; i++) {
    const end = inChild(() => {
      // Enough garbage that the collector runs in the child.
      const kept: object[] = [];
      for (let j = 0; j < 5000; j++) kept.push({ j, text: `number ${j}` });
      writeSync(1, `child ${i} kept ${kept.length}\n`);
      native.exitNow(i % 256);
    });
    if (end.exit !== i % 256 || end.output.toString() !== `child ${i} kept 5000\n`) bad++;
  }
  return { forks, bad };
}

function limited(): unknown {
  const forever = (): void => {
    for (;;);
  };
  const hungry = (): void => {
    const kept: Buffer[] = [];
    for (;;) kept.push(Buffer.alloc(2 ** 20, 1));
  };
  const loud = (): void => {
    for (;;) writeSync(1, 'x'.repeat(4000));
  };
  const told = (end: ChildEnd) => ({ stopped: end.stopped, ...fate(end) });
  const output = inChild(loud, { ...limits, outputBytes: 10_000 });
  return {
    time: told(inChild(forever, { ...limits, timeMs: 100 })),
    memory: told(inChild(hungry, { ...limits, rssBytes: 400 * 2 ** 20 })),
    output: { ...told(output), bytes: output.output.length },
  };
}

function deaths(): unknown {
  return {
    self: fate(inChild(() => native.killSelf())),
    timer: fate(
      inChild(() => {
        native.killAfter(2_000_000);
        for (;;);
      }),
    ),
    status: fate(inChild(() => native.exitNow(17))),
    thrown: fate(
      inChild(() => {
        throw new Error('on purpose');
      }),
    ),
  };
}

function steps(dir: string): unknown {
  const heap = native.createHeap(heapOptions(dir));
  const block = heap.allocate(4);
  heap.root = block;
  heap.commit();
  heap.close();
  const end = inChild(() => {
    const own = native.openHeap(heapOptions(dir));
    native.traceStepsTo(1);
    native.armSteps(5);
    for (let k = 1; k <= 100; k++) {
      new Uint32Array(own.buffer, own.root, 1)[0] = k;
      own.commit();
    }
  });
  const lines = end.output.toString().trimEnd().split('\n');
  const [, index, last] = (lines.at(-1) ?? '').split(' ');
  const recovered = native.openHeap(heapOptions(dir));
  const value = new Uint32Array(recovered.buffer, recovered.root, 1)[0];
  recovered.close();
  return { signal: end.signal, index: Number(index), last, value };
}

function orphan(): never {
  const pid = native.forkChild();
  if (pid === 0) for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  writeSync(1, String(pid));
  native.killSelf();
}

const scenes: Record<string, (dir: string) => unknown> = { many, limits: limited, deaths, steps, orphan };
const [, , name = '', dir = ''] = process.argv;
writeSync(1, JSON.stringify(scenes[name]?.(dir)));
