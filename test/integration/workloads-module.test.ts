import { expect } from 'chai';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { plugpull, temporaryFolder, type CliResult } from '../support/cli.js';

const page = readFileSync(path.join(import.meta.dirname, '../../docs/workloads.md'), 'utf8');
const tally = /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '';

describe('a workload of the user', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(() => remove());

  async function torture(file: string, ...more: string[]): Promise<CliResult> {
    const args = [
      'run',
      '--workload',
      file,
      '--fault',
      'kill',
      '--jobs',
      '1',
      '--seed',
      '3',
      '--quiet',
      ...more,
    ];
    return plugpull([...args, '--out', path.join(folder, 'run')], folder);
  }

  it('is tortured like ours: the one in the documentation', async function () {
    this.timeout(60_000);
    writeFileSync(path.join(folder, 'tally.mjs'), tally);
    const { status, stdout } = await torture('./tally.mjs', '--backend', 'redo', '--trials', '20', '--json');
    const report = JSON.parse(stdout) as { verdict: string; counts: Record<string, number> };
    expect(report.verdict).to.equal('held');
    expect(report.counts.held).to.equal(20);
    expect(status).to.equal(0);
  });

  it('may be TypeScript', async function () {
    this.timeout(60_000);
    writeFileSync(path.join(folder, 'tally.ts'), tally.replace('(seed, k, {', '(seed: number, k: number, {'));
    const { status } = await torture('./tally.ts', '--backend', 'journal', '--trials', '6');
    expect(status).to.equal(0);
  });

  it('is caught when its own states are not what its model says', async function () {
    this.timeout(60_000);
    writeFileSync(
      path.join(folder, 'tally.mjs'),
      tally.replace('view.getUint32(at, true) + 1', 'view.getUint32(at, true) + 2'),
    );
    const { status, stdout } = await torture('./tally.mjs', '--backend', 'redo', '--trials', '20', '--json');
    expect(status).to.equal(1);
    expect(stdout).to.match(/bytes of the state differ, the first is byte \d+/);
  });

  it('is refused with what it lacks', async () => {
    writeFileSync(
      path.join(folder, 'half.mjs'),
      "export default { name: 'half', summary: 's', layout: 'half/1' };",
    );
    const { status, stderr } = await torture('./half.mjs');
    expect(status).to.equal(64);
    expect(stderr).to.match(/half\.mjs is not a workload: "initialise" must be a function/);
  });
});
