/** The usual mistakes of docs/first-finding.md are found, each on the file systems and in the words that the page shows. */
import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../support/cli.js';
import { cutOnDisk, told, type CutAnswer } from '../support/store-script.js';

describe('the usual mistakes', function () {
  this.timeout(180_000);
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-mistakes-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function torture(mistake: string, fs: string): Promise<CutAnswer> {
    const script = path.join(root, 'examples', 'mistakes.sh');
    const commands = ['setup', 'run', 'check'].flatMap((what) => [
      `--${what}`,
      `${script} ${mistake} ${what}`,
    ]);
    return cutOnDisk(folder, commands, { fs, states: 60 });
  }

  it('data that were not flushed are named by their file', async () => {
    expect(told(await torture('data', 'ext4'))).to.match(
      /`log` is empty, though it had \d+ bytes when commit 1 was acked, with a page of it only in memory: written, and not flushed/,
    );
  });

  it('a rename that was not flushed is named, where the flush is left out and where it comes too late', async () => {
    for (const mistake of ['folder', 'late']) {
      expect(told(await torture(mistake, 'ext4'))).to.match(
        /^lost: .*; `head` is the file of commit \d+ again, .*: nothing had made that durable in its folder/m,
      );
      rmSync(path.join(folder, 'run'), { recursive: true });
    }
  });

  it('a rename that overtook its data is shown by XFS and btrfs, and hidden by ext4', async () => {
    const answer = await torture('content', 'ext4,xfs,btrfs');
    expect(told(answer)).to.match(/^broken: head is empty; `head` is empty, though it had 2 bytes/m);
    expect([...new Set(answer.findings.map(({ fs }) => fs))].sort()).to.deep.equal(['btrfs', 'xfs']);
  });

  it('none of them is none', async () => {
    expect((await torture('none', 'ext4,xfs,btrfs')).verdict).to.equal('held');
  });
});
