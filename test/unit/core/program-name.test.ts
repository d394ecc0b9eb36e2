import { expect } from 'chai';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { programName } from '../../../harness/core/program-name.js';

describe('the name of the program in lines to paste', () => {
  let folder: string;
  let root: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-test-'));
    root = path.join(folder, 'checkout');
    for (const name of ['checkout/bin', 'path', 'other']) {
      mkdirSync(path.join(folder, name), { recursive: true });
    }
    writeFileSync(path.join(root, 'bin', 'plugpull'), '');
    writeFileSync(path.join(folder, 'other', 'plugpull'), '');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is short where the shell finds this very program', () => {
    symlinkSync(path.join(root, 'bin', 'plugpull'), path.join(folder, 'path', 'plugpull'));
    expect(programName(`/nowhere:${path.join(folder, 'path')}`, folder, root)).to.equal('plugpull');
  });

  it('is the path in the checkout where one stands in it', () => {
    expect(programName('/nowhere', root, root)).to.equal('bin/plugpull');
  });

  it('is the whole path elsewhere, and where the shell would find another program', () => {
    const whole = path.join(root, 'bin', 'plugpull');
    expect(programName('', path.join(folder, 'other'), root)).to.equal(whole);
    expect(programName(path.join(folder, 'other'), root, root)).to.equal(whole);
  });
});
