/** Is a disk put back after each crash state, and given back, whatever happens? Needs root, FUSE and loop devices. */
import { expect } from 'chai';
import { execa } from 'execa';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { FileSystem } from '../../harness/disk/file-systems.js';
import { whyNoDiskHere } from '../../harness/rigs/disk.js';
import { processesNaming, temporaryFolder, until } from '../support/cli.js';
import { emptyDisk, Explorer } from '../support/explorer.js';

const zramControl = '/sys/class/zram-control';

/** The name under which a process that is gone would have held something; see native/disk/owner.h. */
async function deadOwner(): Promise<string> {
  const tell = 'echo $$; cut -d" " -f22 /proc/$$/stat; stat -L -c %i /proc/self/ns/pid';
  const { stdout } = await execa('sh', ['-c', tell]);
  return `plugpull-disk-${stdout.split('\n').join('-')}`;
}

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

  const start = async (fs: FileSystem, flags: readonly string[], hidden?: string): Promise<Explorer> => {
    const explorer = await Explorer.start(folder, fs, flags, hidden);
    explorers.push(explorer);
    return explorer;
  };
  const state = async (explorer: Explorer): Promise<string> => {
    expect(await explorer.ask('try 0 -')).to.equal('ok');
    change(explorer.folder);
    return explorer.ask('end');
  };

  for (const device of ['loop', 'zram']) {
    describe(`by ${device}`, () => {
      before(function () {
        if (device === 'zram' && !existsSync(zramControl)) this.skip(); // this kernel has no zram
      });

      for (const undo of device === 'loop' ? ['auto', 'trace', 'compare'] : ['auto', 'trace']) {
        it(`is whole after each state, found by --undo ${undo}`, async () => {
          const flags = ['--device', device, '--undo', undo, '--audit-undo', '1'];
          const explorer = await start(await emptyDisk(folder, 'ext4'), flags);
          expect(await explorer.ask('device')).to.match(new RegExp(`^ok /dev/${device}\\d+$`));
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
        const flags = ['--device', device, '--audit-undo', '1', '--event-pages', '1'];
        const explorer = await start(await emptyDisk(folder, 'ext4'), flags);
        for (let i = 0; i < 3; i++) expect(await state(explorer)).to.match(/^ok \d+ \d+ - -$/);
      });

      it('is used no more once a change was missed', async () => {
        const flags = ['--device', device, '--audit-undo', '1', '--forget-writes', '5'];
        const explorer = await start(await emptyDisk(folder, 'ext4'), flags);
        expect(await state(explorer)).to.match(/^error block \d+ of the disk was changed unseen/);
        expect(await explorer.ask('try 0 -')).to.match(/^error block \d+ /);
      });

      it('is given back where its process was killed with a state mounted', async () => {
        const killed = await start(await emptyDisk(folder, 'ext4'), ['--device', device]);
        expect(await killed.ask('try 0 -')).to.equal('ok');
        expect(killed.devices()).to.have.length(1);
        process.kill(killed.pid, 'SIGKILL');
        await until('it is given back', () => killed.devices().length === 0);
        await until('processes end', () => processesNaming(folder).length === 0);
      });

      it('is given back by the next one where all were killed, and only then', async () => {
        const fs = await emptyDisk(folder, 'ext4');
        const flags = ['--device', device];
        const [living, killed] = [await start(fs, flags), await start(fs, flags)];
        // The process that would give it back comes first.
        const all = processesNaming(folder).filter((pid) => pid !== living.pid);
        for (const pid of all.sort((a, b) => b - a)) process.kill(pid, 'SIGKILL');
        await until('they end', () => processesNaming(folder).every((pid) => pid === living.pid));
        expect(killed.devices()).to.have.length(1);
        const next = await start(fs, flags);
        await until('it is given back', () => killed.devices().length === 0);
        expect(living.devices()).to.have.length(1);
        for (const one of [living, next]) expect(await state(one)).to.match(/^ok /);
        await Promise.all([living.close(), next.close()]);
        await until('devices are given back', () =>
          [living, next].every((one) => one.devices().length === 0),
        );
      });
    });
  }

  for (const used of [false, true]) {
    it(`${used ? 'stays if somebody else uses it' : 'is given back'} where its maker was killed while making it`, async function () {
      if (!existsSync(zramControl)) this.skip(); // then the other tests say so
      const fs = await emptyDisk(folder, 'ext4');
      const number = readFileSync(path.join(zramControl, 'hot_add'), 'utf8').trim();
      const disk = `/sys/block/zram${number}`;
      try {
        if (used) writeFileSync(path.join(disk, 'disksize'), '1M');
        const note = path.join('/run', await deadOwner());
        writeFileSync(note, `${number} 0\n`);
        await (await start(fs, ['--device', 'zram'])).close();
        expect(existsSync(disk)).to.equal(used);
        expect(existsSync(note)).to.equal(false);
      } finally {
        if (existsSync(disk)) writeFileSync(path.join(zramControl, 'hot_remove'), number);
      }
    });
  }

  it('is a loop device where the kernel has no zram', async function () {
    if (!existsSync(zramControl)) this.skip(); // then the other tests say so
    const flags = ['--device', 'zram', '--audit-undo', '1'];
    const explorer = await start(await emptyDisk(folder, 'ext4'), flags, path.dirname(zramControl));
    expect(await explorer.ask('device')).to.match(/^ok \/dev\/loop\d+$/);
    // Nobody who was to give back a zram device gives back what is shown now.
    for (let i = 0; i < 3; i++) expect(await state(explorer)).to.match(/^ok \d+ \d+ [^-]/);
  });
});
