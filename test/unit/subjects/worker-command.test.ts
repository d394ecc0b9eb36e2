import { expect } from 'chai';
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { upToDate, workerCommand } from '../../../harness/subjects/worker-command.js';
import { temporaryFolder } from '../../support/cli.js';

describe('the command of a worker', () => {
  let folder: string;
  let remove: () => void;
  const at = (name: string, seconds: number): void => {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, '');
    utimesSync(file, seconds, seconds);
  };
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
    at('harness/worker/main.ts', 100);
    at('workloads/bank.ts', 100);
    at('dist/harness/worker/main.js', 200);
    at('dist/workloads/bank.js', 200);
  });
  afterEach(() => remove());

  it('takes compiled code that is newer than all sources', () => {
    expect(upToDate(folder)).to.equal(true);
    at('harness/worker/README', 300);
    at('workloads/types.d.ts', 300);
    expect(upToDate(folder)).to.equal(true);
  });

  it('takes compiled code where there are no sources', () => {
    for (const name of ['harness', 'workloads']) rmSync(path.join(folder, name), { recursive: true });
    expect(upToDate(folder)).to.equal(true);
  });

  it('takes the sources where one has changed, is new, or nothing is compiled', () => {
    at('workloads/bank.ts', 300);
    expect(upToDate(folder)).to.equal(false);
    at('workloads/bank.ts', 100);
    at('workloads/new.ts', 100);
    expect(upToDate(folder)).to.equal(false);
    rmSync(path.join(folder, 'workloads/new.ts'));
    expect(upToDate(folder)).to.equal(true);
    rmSync(path.join(folder, 'dist'), { recursive: true });
    expect(upToDate(folder)).to.equal(false);
  });

  it('names a file that is there', () => {
    const { argv, entry } = workerCommand();
    expect(path.basename(entry)).to.equal(argv.length === 0 ? 'main.js' : 'main.ts');
  });
});
