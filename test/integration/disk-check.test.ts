/** What becomes of a check that ends in any other way than by its answer. Needs root, FUSE and loop devices. */
import { expect } from 'chai';
import { execa } from 'execa';
import { closeSync, constants, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { whyNoDiskHere } from '../../harness/rigs/disk.js';
import { temporaryFolder } from '../support/cli.js';
import { emptyDisk, Explorer } from '../support/explorer.js';

describe('a check that the explorer asks for', function () {
  this.timeout(60_000);
  let folder: string;
  let remove: () => void;
  let explorer: Explorer;
  let requests: number;
  let answers: number;
  before(function () {
    if (whyNoDiskHere() !== null) this.skip();
  });
  beforeEach(async () => {
    ({ folder, remove } = temporaryFolder());
    explorer = await Explorer.start(folder, await emptyDisk(folder, 'ext4'), ['--audit-undo', '1']);
    await takeOver();
  });
  afterEach(async () => {
    await explorer.close();
    closeSync(requests);
    closeSync(answers);
    remove();
  });

  /** The test plays the process that checks. */
  const takeOver = async (): Promise<void> => {
    const pipes = ['requests', 'answers'].map((name) => path.join(folder, name));
    await execa('mkfifo', pipes);
    [requests = -1, answers = -1] = pipes.map((file) => openSync(file, constants.O_RDWR));
    expect(await explorer.ask(`checker ${folder}`)).to.equal('ok');
  };
  const requested = (): string => {
    const text = Buffer.alloc(1024);
    return text.toString('utf8', 0, readSync(requests, text));
  };

  it('is answered with what was read, and as often as was asked for', async () => {
    writeSync(answers, '{"one":"a b"}\n{"two":2}\n');
    const told = await explorer.ask('check 5000 2 0 -');
    expect(told).to.match(/^ok done \d+ \d+ [0-9a-f]{32} [\d+,]+ \{"one":"a b"\}\t\{"two":2\}$/);
    expect(requested()).to.equal(`${path.join(folder, 'state', 'data')}\n`.repeat(2));
    expect(await explorer.ask('end')).to.equal('ok 0 0 - -'); // nothing is mounted
  });

  it('is told to be late, and can be ended', async () => {
    expect(await explorer.ask('check 50 1 0 -')).to.equal('ok late ');
    expect(await explorer.ask('end')).to.match(/^ok \d+ \d+ \S+ \S+$/);
    expect(await explorer.ask('check 50 1 0 -')).to.match(/^error there is no checker/);
  });

  it('ends when it is told to stop', async () => {
    const asked = explorer.ask('check 50000 1 0 -');
    requested();
    const stopped = explorer.ask('stop');
    expect([await asked, await stopped]).to.deep.equal(['ok stopped ', 'ok']);
    expect(await explorer.ask('end')).to.match(/^ok /);
  });

  it('leaves a state mounted of which somebody holds a file, and gives its answer all the same', async () => {
    const asked = explorer.ask('check 50000 1 0 -');
    requested();
    const held = path.join(explorer.folder, 'held');
    writeFileSync(held, '');
    const file = openSync(held, 'r');
    writeSync(answers, '{}\n');
    expect(await asked).to.equal('ok busy {}');
    closeSync(file);
    expect(await explorer.ask('end')).to.match(/^ok /);
  });
});
