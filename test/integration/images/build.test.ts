/** Real images: built, damaged, removed, and booted as far as the start of the agent. */
import { expect } from 'chai';
import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Context } from 'mocha';
import { BrokenImageError, findImage, qemuFor, type VmImage } from '../../../harness/images/image.js';
import { executable, plugpull, processesNaming, until } from '../../support/cli.js';
import { asNobody, cacheWith, ended, giveAway } from '../../support/nobody.js';
import { rejected } from '../../support/rejected.js';

/** The image of a kernel; skips the test, by name of what is missing, where there is none. */
async function imageFor(test: Context, kernel: string): Promise<VmImage> {
  const image = await findImage(kernel);
  if (image !== null) return image;
  if (test.test !== undefined) test.test.title += ` (there is no image: bin/plugpull image build ${kernel})`;
  return test.skip();
}

describe('images that are built', () => {
  const folders: string[] = [];
  const given = process.env.PLUGPULL_CACHE;
  const use = (cache: string) => {
    folders.push(cache);
    process.env.PLUGPULL_CACHE = cache;
    return cache;
  };
  afterEach(() => {
    if (given === undefined) delete process.env.PLUGPULL_CACHE;
    else process.env.PLUGPULL_CACHE = given;
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  it('are told to be broken, and are not used, when a bit of them flips; `image rm` is the way out', async function () {
    const image = await imageFor(this, '6.1');
    const cache = use(cacheWith(image));
    const root = path.join(cache, 'images', image.id, 'initrd');
    const spoiled = path.join(cache, 'spoiled');
    copyFileSync(root, spoiled);
    const flip = spawnSync('sh', [
      '-c',
      'printf X | dd of="$0" bs=1 seek=1000000 conv=notrunc status=none',
      spoiled,
    ]);
    expect(flip.status).to.equal(0);
    rmSync(root);
    copyFileSync(spoiled, root);
    const doctor = await plugpull(['doctor'], cache);
    expect(doctor.stdout).to.include(`image ${image.id} is broken: the checksum of initrd is wrong`);
    expect(doctor.stdout).to.include(`plugpull image rm ${image.id}`);
    expect(await rejected(findImage('6.1'), BrokenImageError)).to.include({ id: image.id });
    const removed = await plugpull(['image', 'rm', image.id], cache);
    expect(removed.status, removed.stderr).to.equal(0);
    expect(await findImage('6.1')).to.equal(null);
    expect(readdirSync(path.join(cache, 'work'))).to.deep.equal([]);
  });

  it('are built once when two want the same, by an ordinary user too; the other one waits', async function () {
    this.timeout(180_000);
    if (process.getuid?.() !== 0) this.skip();
    // Its root file system is that of the other kernel: what is left to build takes seconds.
    const cache = use(cacheWith(await imageFor(this, '6.12')));
    giveAway(cache);
    const build = () => asNobody(cache, ['image', 'build', '6.1', '--json']);
    const [one, two] = await Promise.all([build(), build()]);
    for (const { status, stdout, stderr } of [one, two]) {
      expect(status, stderr).to.equal(0);
      expect(JSON.parse(stdout)).to.have.nested.property('images[0].kernel', '6.1');
    }
    const said = [one.stderr, two.stderr];
    expect(said.filter((text) => text.includes('is built, in'))).to.have.length(1);
    expect(said.filter((text) => text.includes('waiting for it'))).to.have.length(1);
    expect(await findImage('6.1')).to.not.equal(null);
    expect(readdirSync(path.join(cache, 'work'))).to.deep.equal([]);
  });

  it('say how much room they need and where, before anything is fetched', function () {
    if (process.getuid?.() !== 0) this.skip();
    const cache = use(mkdtempSync(path.join(tmpdir(), 'plugpull-images-')));
    const script = `mount -t tmpfs -o size=64M tmpfs "$1" && PLUGPULL_CACHE=$1 exec "$2" "$3" image build 6.1`;
    const args = [
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      script,
      'sh',
      cache,
      process.execPath,
      executable,
    ];
    const { status, stderr } = spawnSync('unshare', args, { encoding: 'utf8', timeout: 60_000 });
    expect(status, stderr).to.equal(69);
    expect(stderr).to.match(/needs \d+ MiB in \S+, and there are 6\d MiB/);
    expect(stderr).to.include('$PLUGPULL_CACHE');
    expect(stderr).to.not.include('fetching');
  });

  it('tell an ordinary user without means what is missing', async function () {
    if (process.getuid?.() !== 0) this.skip();
    const cache = use(mkdtempSync(path.join(tmpdir(), 'plugpull-images-')));
    giveAway(cache);
    // Only these are there for it: no newuidmap and no fakechroot.
    const bin = path.join(cache, 'bin');
    mkdirSync(bin, { mode: 0o755 });
    const tools = [
      'sh',
      'bash',
      'flock',
      'tar',
      'apt-get',
      'apt-config',
      'dpkg-deb',
      'mmdebstrap',
      'sqfstar',
    ];
    for (const tool of tools) symlinkSync(`/usr/bin/${tool}`, path.join(bin, tool));
    const { status, stderr } = await asNobody(cache, ['image', 'build', '6.1'], { PATH: bin });
    expect(status, stderr).to.equal(69);
    expect(stderr).to.include('/etc/subuid');
    expect(stderr).to.include('usermod --add-subuids');
    expect(stderr).to.not.include('fetching');
  });

  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    it(`leave nothing running and nothing half-built when their builder gets ${signal}`, async function () {
      if (process.getuid?.() !== 0) this.skip();
      const cache = use(mkdtempSync(path.join(tmpdir(), 'plugpull-images-')));
      const builder = plugpull(['image', 'build', '6.1'], cache);
      let said = '';
      builder.child.stderr?.on('data', (text: Buffer) => (said += text.toString()));
      await until(
        'mmdebstrap at work',
        () => said.includes('downloading packages') || builder.child.exitCode !== null,
      );
      expect(processesNaming(cache)).to.not.have.length(0);
      builder.child.kill(signal);
      const { status, stderr } = await builder;
      if (signal === 'SIGINT') {
        expect(status, stderr).to.equal(130);
        expect(readdirSync(path.join(cache, 'work'))).to.deep.equal([]);
      }
      await until('all that it started is gone', () => processesNaming(cache).length === 0);
      expect(readdirSync(path.join(cache, 'images'))).to.deep.equal([]);
      expect(readFileSync('/proc/self/mounts', 'utf8')).to.not.include(cache);
    });
  }

  for (const kernel of ['6.1', '6.12']) {
    it(`boot with kernel ${kernel} to the start of the agent, and power off when it ends`, async function () {
      this.timeout(180_000);
      const image = await imageFor(this, kernel);
      const { program } = await qemuFor(image);
      const said = await boot(program, image);
      expect(said).to.include(`plugpull: kernel ${image.release}`);
      expect(said).to.include('plugpull: ready');
      // Without a payload Node runs and finds no agent.
      expect(said).to.include("Cannot find module '/opt/plugpull/dist/harness/guest/main.js'");
      expect(said).to.include('plugpull: the agent ended with status 1');
      expect(said).to.include('Power down');
    });
  }
});

function boot(program: string, image: VmImage): Promise<string> {
  const drive = `if=none,id=root,format=raw,readonly=on,file=${image.root}`;
  const args = [
    ...[
      '-M',
      'q35',
      '-accel',
      'tcg,thread=multi',
      '-cpu',
      'max',
      '-m',
      '384',
      '-nodefaults',
      '-display',
      'none',
    ],
    ...['-no-reboot', '-nic', 'none', '-serial', 'stdio', '-kernel', image.kernel, '-initrd', image.initrd],
    ...['-append', 'console=ttyS0 panic=-1 plugpull.payload=none'],
    ...['-drive', drive, '-device', 'virtio-blk-pci,drive=root,serial=plugpull-root'],
    ...['-device', 'virtio-serial-pci', '-chardev', 'null,id=c'],
    ...['-device', 'virtserialport,chardev=c,name=org.plugpull.control'],
  ];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  return ended(child, 170_000).then(({ stdout, stderr }) => stdout + stderr);
}
