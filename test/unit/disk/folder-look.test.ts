import { expect } from 'chai';
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { lookAt, Looks, zeroPage } from '../../../harness/disk/folder-look.js';

describe('a look at a folder', () => {
  let folder: string;
  const put = (name: string, content: string | Buffer): void =>
    writeFileSync(path.join(folder, name), content);

  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-look-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('sees files in folders below, their sizes, and pages of zeros', () => {
    mkdirSync(path.join(folder, 'sub'));
    put('sub/a', Buffer.concat([Buffer.alloc(4096), Buffer.from('end')]));
    put('b', '');
    const look = lookAt(folder);
    expect([...look.keys()]).to.deep.equal(['b', 'sub/a']);
    expect(look.get('b')).to.include({ bytes: 0 });
    const a = look.get('sub/a');
    expect(a?.bytes).to.equal(4099);
    expect(a?.pages?.[0]).to.equal(zeroPage);
    expect(a?.pages?.[1]).to.have.length(12);
  });

  it('tells a changed page, and a file that was put in the place of another', () => {
    put('a', 'one');
    const first = lookAt(folder).get('a');
    put('a', 'two');
    const second = lookAt(folder).get('a');
    expect(second?.pages).to.not.deep.equal(first?.pages);
    expect(second?.inode).to.equal(first?.inode);
    put('new', 'two');
    renameSync(path.join(folder, 'new'), path.join(folder, 'a'));
    const third = lookAt(folder).get('a');
    expect(third?.pages).to.deep.equal(second?.pages);
    expect(third?.inode).to.not.equal(second?.inode);
  });

  it('does not write to the files’ times of access', () => {
    put('a', 'x');
    const accessed = () => statSync(path.join(folder, 'a'), { bigint: true }).atimeNs;
    const before = accessed();
    lookAt(folder);
    expect(accessed()).to.equal(before);
  });

  it('sees nothing where there is no folder', () => {
    expect(lookAt(path.join(folder, 'none')).size).to.equal(0);
  });

  it('keeps what did not change once, and finds the newest look that has something', () => {
    const looks = new Looks();
    put('a', 'x');
    looks.take(0, lookAt(folder));
    looks.take(1, lookAt(folder));
    expect(looks.at(1)?.get('a')).to.equal(looks.at(0)?.get('a'));
    put('a', 'y');
    looks.take(2, lookAt(folder));
    const old = looks.at(0)?.get('a')?.pages?.[0];
    expect(looks.newestBefore(2, (look) => look.get('a')?.pages?.[0] === old)).to.equal(1);
    expect(looks.newestBefore(2, () => false)).to.equal(null);
  });
});
