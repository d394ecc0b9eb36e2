import { expect } from 'chai';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makeFolder } from '../../../harness/core/make-folder.js';

describe('making a folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('makes what is missing above it, and is content with what is there', () => {
    const deep = path.join(folder, 'a', 'b', 'c');
    makeFolder(deep);
    makeFolder(deep);
    expect(existsSync(deep)).to.equal(true);
  });

  it('fails where a file is in its place', () => {
    writeFileSync(path.join(folder, 'file'), '');
    expect(() => makeFolder(path.join(folder, 'file'))).to.throw('EEXIST');
    expect(() => makeFolder(path.join(folder, 'file', 'below'))).to.throw('ENOTDIR');
  });

  it('fails where the file system takes no new names, instead of trying for ever', () => {
    expect(() => makeFolder('/proc/plugpull/below')).to.throw('ENOENT');
  });
});
