import { expect } from 'chai';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { sharedFolder } from '../../../harness/uml/shared-folder.js';
import { temporaryFolder } from '../../support/cli.js';

describe('the folder shared with a machine', () => {
  let folder: string;
  let remove: () => void;
  const made: string[] = [];
  beforeEach(() => ({ folder, remove } = temporaryFolder()));
  afterEach(() => {
    remove();
    for (const one of made.splice(0)) rmSync(one, { recursive: true });
  });

  it('lies where it was asked for', () => {
    expect(path.dirname(sharedFolder(folder))).to.equal(folder);
  });

  it('lies elsewhere where the command line of a kernel could not name it', () => {
    const odd = path.join(folder, 'with space');
    mkdirSync(odd);
    const shared = sharedFolder(odd);
    made.push(shared);
    expect(shared).to.match(/^[\w./-]+$/);
    expect(path.dirname(shared)).to.not.equal(odd);
  });

  it('takes away what a controller left that is gone, and nothing else', () => {
    const gone = path.join(os.tmpdir(), 'plugpull-uml-4194305-1-test');
    const other = path.join(os.tmpdir(), `plugpull-uml-x-test-${process.pid}`);
    for (const one of [gone, other]) mkdirSync(one, { recursive: true });
    made.push(sharedFolder(null), other);
    expect(existsSync(gone)).to.equal(false);
    expect(existsSync(other)).to.equal(true);
  });
});
