import { expect } from 'chai';
import { execa } from 'execa';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { native } from '../../../native/index.js';
import { errorOf, heapOptions, temporaryFolder } from './support.js';

const forker = fileURLToPath(new URL('forker.ts', import.meta.url));

describe('forked children of a single-threaded Node', () => {
  /** Runs one scene of forker.ts and returns what it printed. */
  async function scene(name: string, ...args: string[]): Promise<unknown> {
    const node = ['--single-threaded', '--import', 'tsx', forker, name, ...args];
    const { stdout } = await execa(process.execPath, node, { timeout: 60_000 });
    return JSON.parse(stdout);
  }

  it('return output and exit status, many in a row', async () => {
    expect(await scene('many')).to.deep.equal({ forks: 100, bad: 0 });
  });

  it('are stopped at each limit', async () => {
    expect(await scene('limits')).to.deep.equal({
      time: { stopped: 'time', signal: 9, exit: null },
      memory: { stopped: 'memory', signal: 9, exit: null },
      output: { stopped: 'output', signal: 9, exit: null, bytes: 10_000 },
    });
  });

  it('die by themselves, at a step, or by the kernel’s timer', async () => {
    expect(await scene('deaths')).to.deep.equal({
      self: { signal: 9, exit: null },
      timer: { signal: 9, exit: null },
      status: { signal: null, exit: 17 },
      thrown: { signal: null, exit: 70 },
    });
  });

  it('change a heap until a chosen step kills them', async () => {
    const { dir, remove } = temporaryFolder();
    try {
      const outcome = (await scene('steps', dir)) as {
        signal: number;
        last: string;
        value: number;
        index: number;
      };
      expect(outcome.signal).to.equal(9);
      expect(outcome.index).to.equal(5);
      expect(outcome.last).to.match(/^redo\.commit\./);
      // Each commit passes at least one step, so the fifth step lies within the first five commits.
      expect(outcome.value).to.be.within(0, 5);
    } finally {
      remove();
    }
  });

  it('die with their parent', async () => {
    const child = await execa(process.execPath, ['--single-threaded', '--import', 'tsx', forker, 'orphan'], {
      timeout: 60_000,
      reject: false,
    });
    expect(child.signal).to.equal('SIGKILL');
    const orphan = Number(child.stdout);
    expect(orphan).to.be.greaterThan(1);
    // The kernel needs a moment. A process that is only waiting to be collected counts as gone.
    let state = '';
    for (let i = 0; i < 500; i++) {
      state = await execa('ps', ['-o', 'stat=', '-p', String(orphan)], { reject: false }).then(
        (ps) => ps.stdout,
      );
      if (state === '' || state.startsWith('Z')) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect.fail(`process ${orphan} outlived its parent: ${state}`);
  });

  it('are waited for once', () => {
    expect(errorOf(() => native.waitChild(1, { timeMs: 1, rssBytes: 1, outputBytes: 1 }))).to.be.instanceOf(
      RangeError,
    );
    expect(
      errorOf(() => native.waitChild(1, {} as { timeMs: number; rssBytes: number; outputBytes: number })),
    ).to.be.instanceOf(TypeError);
  });
});

describe('steps', () => {
  it('are counted from when they are armed', () => {
    const { dir, remove } = temporaryFolder();
    const heap = native.createHeap(heapOptions(dir));
    native.armSteps(0);
    heap.commit();
    const passed = native.stepsPassed();
    const known = native.backends().find((b) => b.name === 'redo')?.steps;
    expect(passed.length).to.be.greaterThan(0);
    expect(known).to.include.members(passed);
    native.armSteps(0);
    expect(native.stepsPassed()).to.deep.equal([]);
    heap.close();
    remove();
    expect(errorOf(() => native.armSteps(-1))).to.be.instanceOf(TypeError);
    expect(errorOf(() => native.killAfter(-1))).to.be.instanceOf(TypeError);
  });
});

describe('the page cache', () => {
  it('tells what of a file only memory has', () => {
    const { dir, remove } = temporaryFolder();
    try {
      const file = path.join(dir, 'a');
      writeFileSync(file, Buffer.alloc(3 * 4096, 1));
      const unwritten = native.unwrittenPages(file);
      const [major = 0, minor = 0] = os.release().split('.').map(Number);
      if (major > 6 || (major === 6 && minor >= 5)) expect(unwritten).to.be.a('number');
      // Unless the kernel was quicker.
      if (unwritten !== null) expect(unwritten).to.be.within(0, 3);
      const fd = openSync(file, 'r+');
      fsyncSync(fd);
      closeSync(fd);
      if (unwritten !== null) expect(native.unwrittenPages(file)).to.equal(0);
      expect(errorOf(() => native.unwrittenPages(path.join(dir, 'none')))).to.include({ code: 'ENOENT' });
    } finally {
      remove();
    }
  });
});

describe('folders', () => {
  it('are copied with permissions, and compared', () => {
    const { dir, remove } = temporaryFolder();
    const [from, to] = [path.join(dir, 'from'), path.join(dir, 'to')];
    mkdirSync(path.join(from, 'inner'), { recursive: true });
    writeFileSync(path.join(from, 'inner', 'a'), 'text');
    writeFileSync(path.join(from, 'marked'), 'snapshot');
    chmodSync(path.join(from, 'marked'), 0o200);
    native.copyFolder(from, to);
    expect(native.compareFolders(from, to)).to.equal(null);
    expect(statSync(path.join(to, 'marked')).mode & 0o777).to.equal(0o200);
    writeFileSync(path.join(to, 'inner', 'a'), 'tExt');
    expect(native.compareFolders(from, to)).to.equal('inner/a differs at byte 1');
    expect(errorOf(() => native.copyFolder(from, to))?.code).to.equal('EEXIST');
    expect(errorOf(() => native.compareFolders(from, path.join(dir, 'none')))).to.include({
      code: 'ENOENT',
      operation: 'opendir',
    });
    expect(native.reflinkAvailable(dir)).to.be.a('boolean');
    expect(readdirSync(dir).sort()).to.deep.equal(['from', 'to']);
    expect(native.trackersAvailable().pagemap).to.be.a('boolean');
    remove();
  });
});
