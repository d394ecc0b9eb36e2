import { expect } from 'chai';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writeBundle } from '../../../harness/store/bundle.js';
import { bundleFinding, unpackFinding } from '../../../harness/store/finding-bundle.js';

describe('a finding in one file', () => {
  let base: string;
  let from: string;
  let to: string;
  let file: string;
  beforeEach(() => {
    base = mkdtempSync(path.join(os.tmpdir(), 'plugpull-test-'));
    [from, to, file] = ['from', 'to', 'one.plugpull'].map((name) => path.join(base, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(path.join(from, 'after-crash', 'empty'), { recursive: true });
    mkdirSync(to);
    writeFileSync(path.join(from, 'finding.json'), '{}');
    writeFileSync(path.join(from, 'after-crash', 'heap'), 'data');
    chmodSync(path.join(from, 'after-crash', 'heap'), 0o400);
  });
  afterEach(() => rmSync(base, { recursive: true }));

  it('comes back with its folders, permissions and links', () => {
    symlinkSync('heap', path.join(from, 'after-crash', 'link'));
    expect(bundleFinding(from, file)).to.equal(true);
    expect(unpackFinding(file, to)).to.equal(true);
    const heap = path.join(to, 'after-crash', 'heap');
    expect(readFileSync(heap, 'utf8')).to.equal('data');
    expect(statSync(heap).mode & 0o777).to.equal(0o400);
    expect(statSync(path.join(to, 'after-crash', 'empty')).isDirectory()).to.equal(true);
    expect(readlinkSync(path.join(to, 'after-crash', 'link'))).to.equal('heap');
  });

  it('never leads out of the folder that it is unpacked in', () => {
    symlinkSync('../../out', path.join(from, 'after-crash', 'out'));
    expect(bundleFinding(from, file)).to.equal(true);
    unpackFinding(file, to);
    expect(existsSync(path.join(to, 'after-crash', 'heap'))).to.equal(true);
    expect(() => readlinkSync(path.join(to, 'after-crash', 'out'))).to.throw('ENOENT');
    const manifest = { schema: 'plugpull.finding-bundle/1', modes: [], folders: ['../x'], links: [] };
    writeBundle(file, { manifest, files: new Map() });
    expect(() => unpackFinding(file, to)).to.throw('leaves its folder');
  });

  it('is none of what is too large, and is not taken for a bundle of something else', () => {
    truncateSync(path.join(from, 'finding.json'), 65 * 1024 ** 2);
    expect(bundleFinding(from, file)).to.equal(false);
    writeBundle(file, { manifest: { schema: 'other' }, files: new Map() });
    expect(unpackFinding(file, to)).to.equal(false);
  });
});
