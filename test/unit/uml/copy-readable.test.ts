import { expect } from 'chai';
import { chmodSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { copyReadable } from '../../../harness/uml/copy-readable.js';
import { temporaryFolder } from '../../support/cli.js';

describe('evidence for a controller that is not root', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => ({ folder, remove } = temporaryFolder()));
  afterEach(() => remove());

  it('makes readable what its owner may not read, and says so', function () {
    const [from, to] = [path.join(folder, 'from'), path.join(folder, 'to')];
    mkdirSync(path.join(from, 'below'), { recursive: true });
    writeFileSync(path.join(from, 'plain'), 'a');
    writeFileSync(path.join(from, 'below', 'mark'), 'b');
    symlinkSync('plain', path.join(from, 'link'));
    // Only root can copy what may not be read.
    chmodSync(path.join(from, 'below', 'mark'), process.getuid?.() === 0 ? 0o200 : 0o600);
    const told = copyReadable(from, to);
    expect(readFileSync(path.join(to, 'below', 'mark'), 'utf8')).to.equal('b');
    expect(lstatSync(path.join(to, 'link')).isSymbolicLink()).to.equal(true);
    if (process.getuid?.() !== 0) return;
    expect(lstatSync(path.join(to, 'below', 'mark')).mode & 0o777).to.equal(0o600);
    expect(told).to.deep.equal(['below/mark: its permissions were 0200']);
  });

  it('says why what cannot be copied is not there', () => {
    const told = copyReadable(path.join(folder, 'nothing'), path.join(folder, 'to'));
    expect(told).to.have.length(1);
    expect(told[0]).to.match(/could not be copied.*ENOENT/);
  });
});
