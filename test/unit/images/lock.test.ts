import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ownPrefix, workFolder } from '../../../harness/images/cache.js';
import { takeLock } from '../../../harness/images/lock.js';
import { root } from '../../support/cli.js';
import { temporaryCache } from '../../support/cache.js';

describe('the lock of builders', () => {
  let cache: ReturnType<typeof temporaryCache>;
  beforeEach(() => (cache = temporaryCache()));
  afterEach(() => cache.remove());

  it('lets one in at a time', async () => {
    const first = await takeLock('x', () => expect.fail('nobody has it'));
    const order: string[] = [];
    const second = new Promise<void>((resolve, reject) => {
      takeLock('x', () => order.push('waits')).then((lock) => {
        order.push('second');
        lock.release().then(resolve, reject);
      }, reject);
    });
    const other = await takeLock('y', () => expect.fail('that is another lock'));
    await other.release();
    while (order.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    order.push('first ends');
    await first.release();
    await second;
    expect(order).to.deep.equal(['waits', 'first ends', 'second']);
  });

  it('is free when its holder is killed', async function () {
    this.timeout(30_000);
    const module = path.join(root, 'harness', 'images', 'lock.ts');
    const code = `const { takeLock } = await import(${JSON.stringify(module)});
      await takeLock('x', () => undefined); console.log('has it'); setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    const lock = await takeLock('x', () => undefined);
    await lock.release();
  });

  it('is not waited for once the wait is given up', async () => {
    const first = await takeLock('x', () => undefined);
    const stop = new AbortController();
    const waiting = takeLock('x', () => stop.abort(new Error('given up')), stop.signal);
    const error = await waiting.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect((error as Error).message).to.equal('given up');
    await first.release();
  });
});

describe('folders of builders', () => {
  let cache: ReturnType<typeof temporaryCache>;
  beforeEach(() => (cache = temporaryCache()));
  afterEach(() => cache.remove());

  it('are removed once their builder is gone, and not before', async () => {
    const base = path.join(cache.folder, 'work');
    // No pid is that high: the kernel's limit is 2^22.
    const orphan = path.join(base, '4294967295-1-abc');
    const live = path.join(base, `${ownPrefix()}abc`);
    for (const folder of [orphan, live]) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, 'file'), 'x');
    }
    const mine = await workFolder();
    expect([orphan, live, mine].map((folder) => existsSync(folder))).to.deep.equal([false, true, true]);
  });
});
