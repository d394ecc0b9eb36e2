import { expect } from 'chai';
import { execaSync } from 'execa';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { diskProgram } from '../../harness/disk/line-process.js';
import { canEnterPrivateMounts } from '../../harness/cli/private-mounts.js';
import { temporaryFolder, until } from '../support/cli.js';

const makers = { ext4: ['-q', '-F'], xfs: ['-q'], btrfs: ['-q'] } as const;
const attempts = 8;

describe('the process that mounts recorded disks', function () {
  this.timeout(60_000);
  let folder: string;
  let remove: () => void;
  beforeEach(function () {
    if (process.getuid?.() !== 0 || !canEnterPrivateMounts()) this.skip(); // only root attaches devices
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(() => remove());

  for (const [fs, options] of Object.entries(makers)) {
    it(`gives its device back when it is killed while ${fs} is brought to rest`, async () => {
      const mount = path.join(folder, 'mount');
      mkdirSync(mount);
      let killed = 0;
      for (let attempt = 0; attempt < attempts; attempt++) {
        // A file for each: what is left over is of one attempt, and no other is in its way.
        const image = path.join(folder, `image-${attempt}`);
        execaSync('truncate', ['-s', '320M', image]);
        execaSync(`mkfs.${fs}`, [...options, image]);
        const hand = spawn('unshare', ['--mount', '--propagation', 'private', diskProgram(), 'hand'], {
          stdio: ['pipe', 'pipe', 'inherit'],
        });
        const ended = new Promise((resolve) => hand.on('close', resolve));
        const lines = createInterface(hand.stdout)[Symbol.asyncIterator]();
        const answer = async (): Promise<string> => String((await lines.next()).value);
        expect(await answer()).to.equal('ready');
        hand.stdin.write(`attach ${image}\n`);
        const device = (await answer()).replace('ok ', '');
        hand.stdin.write(`mount ${device} ${mount} ${fs} -\n`);
        expect(await answer()).to.equal('ok');
        hand.stdin.write(`quiesce ${mount}\n`);
        expect(await answer()).to.equal('ok');
        // Nobody reads the answers: it is at it when it is killed.
        hand.stdin.write(`quiesce ${mount}\n`.repeat(1000));
        await new Promise((resolve) => setTimeout(resolve, 5 + attempt));
        if (hand.kill('SIGKILL')) killed++;
        await ended;
      }
      expect(killed).to.equal(attempts);
      const attached = (): string[] =>
        execaSync('losetup', ['-a'])
          .stdout.split('\n')
          .filter((line) => line.includes(folder));
      await until('devices are given back', () => attached().length === 0);
    });
  }
});
