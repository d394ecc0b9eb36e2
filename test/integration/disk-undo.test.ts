/** Is a disk put back after each crash state, and given back, whatever happens? Needs root, FUSE and loop devices. */
import { expect } from 'chai';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { FileSystem } from '../../harness/disk/file-systems.js';
import { whyNoDiskHere } from '../../harness/rigs/disk.js';
import { processesNaming, temporaryFolder, until } from '../support/cli.js';
import { emptyDisk, Explorer } from '../support/explorer.js';

/** Changes the mounted state by more requests than one page of events holds. */
function change(folder: string): void {
  const file = openSync(path.join(folder, 'file'), 'w');
  for (let i = 0; i < 150; i++) {
    writeSync(file, 'x'.repeat(4096), i * 4096);
    fsyncSync(file);
  }
  closeSync(file);
}

describe('the disk on which crash states are shown', function () {
  this.timeout(120_000);
  const explorers: Explorer[] = [];
  let folder: string;
  let remove: () => void;
  before(function () {
    if (whyNoDiskHere() !== null) this.skip();
  });
  beforeEach(() => ({ folder, remove } = temporaryFolder()));
  afterEach(async () => {
    await Promise.all(explorers.splice(0).map((one) => one.close()));
    remove();
  });

  const start = async (fs: FileSystem, ...flags: string[]): Promise<Explorer> => {
    const explorer = await Explorer.start(folder, fs, ...flags);
    explorers.push(explorer);
    return explorer;
  };
  const state = async (explorer: Explorer): Promise<string> => {
    expect(await explorer.ask('try 0 -')).to.equal('ok');
    change(explorer.folder);
    return explorer.ask('end');
  };

  for (const undo of ['auto', 'trace', 'compare']) {
    it(`is whole after each state, found by --undo ${undo}`, async () => {
      const explorer = await start(await emptyDisk(folder, 'ext4'), '--undo', undo, '--audit-undo', '1');
      expect(await explorer.ask('sees')).to.equal(undo === 'auto' ? 'ok 1' : 'ok 0');
      for (let i = 0; i < 2; i++) {
        const told = (await state(explorer)).split(' ');
        expect(told[0]).to.equal('ok');
        if (undo === 'trace') expect(Number(told[1])).to.equal(0);
        if (undo !== 'compare') expect(Number(told[2])).to.be.greaterThan(150);
        expect(told[3] === '-').to.equal(undo !== 'auto');
      }
    });
  }

  it('is whole, too, where more happened than there is room for events', async () => {
    const explorer = await start(await emptyDisk(folder, 'ext4'), '--audit-undo', '1', '--event-pages', '1');
    for (let i = 0; i < 3; i++) expect(await state(explorer)).to.match(/^ok \d+ \d+ - -$/);
  });

  it('is used no more once a change was missed', async () => {
    const explorer = await start(
      await emptyDisk(folder, 'ext4'),
      '--audit-undo',
      '1',
      '--forget-writes',
      '5',
    );
    expect(await state(explorer)).to.match(/^error block \d+ of the disk was changed unseen/);
    expect(await explorer.ask('try 0 -')).to.match(/^error block \d+ /);
  });

  it('is given back by the next one where all were killed, and only then', async () => {
    const fs = await emptyDisk(folder, 'ext4');
    const [living, killed] = [await start(fs), await start(fs)];
    // The process that would give it back comes first.
    const all = processesNaming(folder).filter((pid) => pid !== living.pid);
    for (const pid of all.sort((a, b) => b - a)) process.kill(pid, 'SIGKILL');
    await until('they end', () => processesNaming(folder).every((pid) => pid === living.pid));
    expect(killed.loops()).to.have.length(1);
    const next = await start(fs);
    await until('it is given back', () => killed.loops().length === 0);
    expect(living.loops()).to.have.length(1);
    for (const one of [living, next]) expect(await state(one)).to.match(/^ok /);
    await Promise.all([living.close(), next.close()]);
    await until('loop devices are given back', () => [living, next].every((one) => one.loops().length === 0));
  });
});
