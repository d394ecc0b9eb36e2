/** What a machine without guests says. */
import { expect } from 'chai';
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { plugpull, temporaryFolder } from '../support/cli.js';

describe('power-offs where they cannot be had', () => {
  let folder: string;
  let remove: () => void;
  const searchPath = process.env.PATH;
  const cache = process.env.PLUGPULL_CACHE;

  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
    const programs = path.join(folder, 'bin');
    mkdirSync(programs);
    symlinkSync(process.execPath, path.join(programs, 'node'));
    process.env.PATH = programs;
    // No image that has brought a QEMU along.
    process.env.PLUGPULL_CACHE = path.join(folder, 'cache');
  });
  afterEach(() => {
    process.env.PATH = searchPath;
    if (cache === undefined) delete process.env.PLUGPULL_CACHE;
    else process.env.PLUGPULL_CACHE = cache;
    remove();
  });

  it('end with 69 and say what to install', async () => {
    const args = ['--backend', 'redo', '--workload', 'bank', '--out', 'out', '--trials', '1', '--quiet'];
    const { status, stderr } = await plugpull(['run', '--fault', 'poweroff', ...args], folder);
    expect(status).to.equal(69);
    expect(stderr).to.match(/QEMU is not installed/);
    expect(stderr).to.match(/apt-get install --no-install-recommends qemu-system-x86\n/);
  });

  it('are missed by name beside what can be done', async () => {
    const args = ['--backend', 'redo', '--workload', 'bank', '--out', 'out', '--trials', '40', '--json'];
    const faults = ['--fault', 'kill,poweroff', '--quiet', '--sweep', 'none'];
    const { stdout, stderr } = await plugpull(['run', ...faults, ...args], folder);
    const { skipped } = JSON.parse(stdout) as { skipped: { what: string; reason: string }[] };
    expect(
      skipped.map(({ what }) => what),
      stderr,
    ).to.include('poweroff on vm');
  });
});
