/** Power cuts of a machine over ssh: a guest whose QEMU is killed by the power-off command and started by the power-on command. */
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { RunEvent } from '../../harness/core/events.js';
import { findImage } from '../../harness/images/image.js';
import { plugpull, processesNaming, root, temporaryFolder, type CliResult } from '../support/cli.js';
import { freePort, whyNoSshd } from '../support/sshd.js';

const script = path.join(root, 'vm-images', 'machine.sh');

describe('power cuts of a machine over ssh', function () {
  // A guest without hardware support takes seconds for a boot, and many more on a busy machine.
  this.timeout(600_000);
  const { folder, remove } = temporaryFolder();
  const machine = path.join(folder, 'machine');
  let port = 0;

  before(async function () {
    const image = await findImage('6.1').catch(() => null);
    if (image === null || whyNoSshd() !== null || !existsSync('/usr/bin/qemu-system-x86_64')) {
      this.test!.title += ' (no image 6.1, QEMU or ssh here: plugpull image build 6.1)';
      this.skip();
    }
    port = await freePort();
    execFileSync(script, ['make', machine, image.folder, String(port), 'ext4']);
    execFileSync(script, ['on', machine]);
  });
  after(() => {
    execFileSync(script, ['off', machine]);
    remove();
    expect(processesNaming(machine)).to.deep.equal([]);
  });

  const run = (name: string, more: string[]): Promise<CliResult> =>
    plugpull(
      [
        ...['run', '--host', `root@127.0.0.1:${port}`, '--identity', path.join(machine, 'id')],
        ...['--known-hosts', path.join(machine, 'known_hosts')],
        ...['--power-off', `${script} off ${machine}`, '--power-on', `${script} on ${machine}`],
        '--after-boot',
        'mkdir -p /mnt/t; mountpoint -q /mnt/t || mount /dev/disk/by-id/virtio-plugpull-data /mnt/t',
        ...['--remote-dir', '/mnt/t', '--remote-tools', '/mnt/t/tools', '--off-for', '10ms'],
        ...['--out', path.join(folder, name), ...more],
      ],
      folder,
      500_000,
    );
  const events = (name: string): RunEvent[] =>
    readFileSync(path.join(folder, name, 'events.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as RunEvent);

  it('catch a commit that was not flushed, and keep the files and the story', async () => {
    const bug = ['--planted', 'redo.log-not-synced', '--workload', 'bank', '--trials', '2'];
    const { status, stdout, stderr } = await run('planted', bug);
    expect(status, stdout + stderr).to.equal(0);
    const finding = events('planted').find((event) => event.type === 'finding');
    expect(finding?.verdict).to.equal('lost');
    const kept = path.join(folder, 'planted', finding?.folder ?? '');
    const files = execFileSync('find', [kept, '-type', 'f'], { encoding: 'utf8' });
    expect(files).to.include('heap.db');
    const power = files.split('\n').find((file) => path.basename(file).startsWith('power'));
    expect(readFileSync(power ?? '', 'utf8')).to.include('power-on command ended well');
    const notes = events('planted').flatMap((event) => (event.type === 'note' ? [event.text] : []));
    expect(notes.join('\n')).to.match(/nobody had flushed was gone after [12] of [12] cuts/);
  });

  it('show nothing wrong with a backend that flushes', async () => {
    const good = ['--backend', 'redo', '--workload', 'bank', '--trials', '1'];
    const { status, stdout, stderr } = await run('good', good);
    expect(status, stdout + stderr).to.equal(0);
    const trials = events('good').filter((event) => event.type === 'trial');
    expect(trials.map(({ verdict }) => verdict)).to.deep.equal(['held']);
    expect(trials.every(({ acked }) => acked > 0)).to.equal(true);
  });

  it('torture any program, brought along', async () => {
    const { status, stdout, stderr } = await run('program', [
      ...['--setup', 'journal.sh setup', '--run', 'journal.sh run', '--check', 'journal.sh check'],
      ...['--with', path.join(root, 'examples', 'journal.sh'), '--trials', '1'],
    ]);
    expect(status, stdout + stderr).to.equal(0);
    const [trial] = events('program').filter((event) => event.type === 'trial');
    expect(trial?.verdict).to.equal('held');
    expect(trial?.recovered).to.be.at.least(trial?.acked ?? Infinity);
  });
});
