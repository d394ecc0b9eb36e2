import { expect } from 'chai';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { UsageError } from '../../../harness/core/errors.js';
import { RunDir } from '../../../harness/store/run-dir.js';

describe('a run directory', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('belongs to one process at a time', () => {
    const dir = RunDir.open(folder, 'new');
    expect(() => RunDir.open(folder, 'resume')).to.throw(UsageError, `process ${process.pid} is writing`);
    dir.close();
    RunDir.open(folder, 'resume').close();
  });

  it('is not written over', () => {
    RunDir.open(folder, 'new').close();
    expect(() => RunDir.open(folder, 'new')).to.throw(UsageError, 'already holds a run');
  });

  it('can be resumed only if it holds a run', () => {
    expect(() => RunDir.open(folder, 'resume')).to.throw(UsageError, 'no run to resume');
  });

  it('frees the lock of a process that died', () => {
    writeFileSync(path.join(folder, 'lock'), '999999999 1\n');
    RunDir.open(folder, 'new').close();
    expect(existsSync(path.join(folder, 'lock'))).to.equal(false);
  });

  it('is not fooled by another process with the same number', () => {
    writeFileSync(path.join(folder, 'lock'), `${process.pid} 1\n`);
    RunDir.open(folder, 'new').close();
  });
});
