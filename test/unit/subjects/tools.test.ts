import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { makeToolFolder } from '../../../harness/subjects/tools.js';

describe('tool folder', () => {
  let base: string;
  beforeEach(() => (base = mkdtempSync(path.join(tmpdir(), 'plugpull-unit-'))));
  afterEach(() => rmSync(base, { recursive: true, force: true }));

  it('holds executable copies until it is removed', () => {
    const file = path.join(base, 'store');
    writeFileSync(file, 'text', { mode: 0o600 });
    const tools = makeToolFolder([file], base);
    const copy = path.join(tools.folder, 'store');
    expect(readFileSync(copy, 'utf8')).to.equal('text');
    expect(statSync(copy).mode & 0o777).to.equal(0o755);
    tools.remove();
    expect(existsSync(tools.folder)).to.equal(false);
    expect(existsSync(file)).to.equal(true);
  });

  it('removes what a process that is gone has left, and nothing else', () => {
    // No pid is that high: the kernel's limit is 2^22.
    const orphan = path.join(base, 'plugpull-tools-4294967295-abc');
    const live = path.join(base, `plugpull-tools-${process.pid}-abc`);
    const other = path.join(base, 'plugpull-other');
    for (const folder of [orphan, live, other]) mkdirSync(folder);
    makeToolFolder([], base).remove();
    expect([orphan, live, other].map((folder) => existsSync(folder))).to.deep.equal([false, true, true]);
  });

  it('leaves nothing behind when a program cannot be read', () => {
    expect(() => makeToolFolder([path.join(base, 'none')], base)).to.throw('--with');
    expect(existsSync(path.join(base, 'none'))).to.equal(false);
  });
});
