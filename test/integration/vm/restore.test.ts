import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CommandTarget } from '../../../harness/core/target.js';
import { AgentError } from '../../../harness/guest/client.js';
import { marksPort, markSector } from '../../../harness/guest/protocol.js';
import { dataDevice, extraDevices, marksOffset } from '../../../harness/vm/config.js';
import { VmError } from '../../../harness/vm/error.js';
import { ensureTemplate, type Template } from '../../../harness/vm/template.js';
import { stateFile } from '../../../harness/vm/template-files.js';
import { Vm, type RestoreOptions } from '../../../harness/vm/vm.js';
import { guestParts, makeDisk, testFolder } from '../../support/vm.js';
import { redoBank as bank } from '../../support/targets.js';

const mib = 1024 ** 2;
const port = `/dev/virtio-ports/${marksPort}`;

function command(run: string): CommandTarget {
  const limits = { timeMs: 60_000, memoryBytes: 256 * mib };
  const common = { setup: 'true', check: 'true', with: [], ignore: [] };
  return { kind: 'command', id: 'c', run, ...common, expect: 'hold', recoverTwice: 'bytes', limits };
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error,
  );
}

describe('guests that are restored', function () {
  let template: Template;
  let scratch: { folder: string; remove: () => void } | undefined;
  const running: Vm[] = [];
  let disks = 0;

  before(async function () {
    this.timeout(240_000);
    const { image } = await guestParts(this);
    scratch = testFolder();
    template = await ensureTemplate(image, {}, () => undefined);
  });

  afterEach(async () => {
    await Promise.all(running.splice(0).map((vm) => vm.kill()));
  });

  after(() => scratch?.remove());

  const folder = () => scratch?.folder ?? '';

  function newDisk(): string {
    return makeDisk(path.join(folder(), `disk${++disks}`), template.config.diskBytes);
  }

  async function restored(options: Partial<RestoreOptions> = {}, from = template): Promise<Vm> {
    const vm = await Vm.restore(from, { disk: newDisk(), ...options });
    running.push(vm);
    return vm;
  }

  async function withFileSystem(vm: Vm, fs = 'ext4'): Promise<void> {
    await vm.agent.call('makeFs', { device: dataDevice, fs, bytes: 128 * mib });
    const mounted = await vm.agent.call('mount', { device: dataDevice, fs, dir: '/mnt/data' });
    expect(mounted.error).to.equal(null);
    await vm.agent.call('makeFolder', { path: '/mnt/data/d' });
  }

  it('are fresh: each with a boot id, random numbers and a clock of its own', async () => {
    const [a, b] = await Promise.all([restored(), restored()]);
    expect(a.bootId).to.match(/^[0-9a-f-]{36}$/);
    expect(a.bootId).to.not.equal(b.bootId);
    expect((await a.agent.call('bootId', {})).bootId).to.equal(a.bootId);
    const hello = await a.agent.hello();
    expect(hello.kernel).to.equal(template.image.release);
    expect(Math.abs(hello.time - Date.now())).to.be.lessThan(60_000);
    // What programs draw differs too.
    const draws = await Promise.all(
      [a, b].map(async (vm) => {
        await vm.agent.call('makeFolder', { path: '/tmp/d' });
        const target = command('head -c 16 /dev/urandom | od -An -tx1');
        const marks = {};
        const ran = await vm.agent.call('run', {
          ...{ target, dir: '/tmp/d', seed: 1, create: false, commits: 1, plan: null, marks },
        });
        expect(ran.log).to.match(/^( [0-9a-f]{2}){16}\n$/);
        return ran.log;
      }),
    );
    expect(draws[0]).to.not.equal(draws[1]);
  });

  it('work on disks of their own, mark what they do, and leave nothing behind when they are killed', async () => {
    const disk = newDisk();
    const vm = await restored({ disk });
    const marks: string[] = [];
    vm.onMark((text) => marks.push(text));
    await withFileSystem(vm);
    const offset = marksOffset(template.config.diskBytes);
    const ran = await vm.agent.call('run', {
      ...{ target: bank, dir: '/mnt/data/d', seed: 3, create: true, commits: 4, plan: null },
      marks: { port, disk: { device: dataDevice, offset } },
    });
    expect(ran).to.include({ acked: 4, end: 'exited' });
    await vm.agent.call('unmount', { dir: '/mnt/data' });
    const { pid } = vm;
    await vm.kill();
    expect(() => process.kill(pid, 0)).to.throw('ESRCH');
    expect(await vm.ended).to.equal(null);
    expect(marks.filter((text) => !text.startsWith('s '))).to.deep.equal([
      ...['begin', 'ack 0', 'ack 1', 'ack 2', 'ack 3', 'ack 4', 'done 4'],
    ]);
    expect(marks.filter((text) => /^s \d+ redo\.commit\./.test(text))).to.have.length.greaterThan(4);
    const sector = readFileSync(disk).subarray(offset, offset + markSector.bytes);
    expect(sector.toString('latin1', 0, 8)).to.equal(markSector.magic);
    expect(sector.readUInt32LE(8)).to.equal(marks.length);
    const length = sector.readUInt32LE(12);
    expect(sector.toString('latin1', markSector.textAt, markSector.textAt + length)).to.equal('done 4');

    // Another machine finds it all.
    const next = await restored({ disk });
    expect(next.bootId).to.not.equal(vm.bootId);
    const dir = '/mnt/data';
    expect(await next.agent.call('mount', { device: dataDevice, fs: 'ext4', dir })).to.deep.equal({
      error: null,
    });
    const check = await next.agent.call('check', { target: bank, dir: `${dir}/d`, seed: 3, acked: 4 });
    expect(check).to.include({ outcome: 'consistent', state: 4 });
  });

  for (const fs of ['xfs', 'btrfs', 'f2fs']) {
    it(`have ${fs}`, async () => {
      const vm = await restored();
      const bytes = fs === 'xfs' ? 300 * mib : 128 * mib;
      await vm.agent.call('makeFs', { device: dataDevice, fs, bytes });
      const mounted = await vm.agent.call('mount', { device: dataDevice, fs, dir: '/mnt/data' });
      expect(mounted).to.deep.equal({ error: null });
      await vm.agent.call('put', { path: '/mnt/data/a', mode: 0o644, offset: 0, data: 'YQ==' });
      await vm.agent.call('quiesce', { dir: '/mnt/data' });
      await vm.agent.call('unmount', { dir: '/mnt/data' });
      const { text } = await vm.agent.call('kernelLog', {});
      expect(text.toLowerCase()).to.contain(fs);
      expect(text).to.not.match(/call trace|BUG:/i);
    });
  }

  it('stand still before the step of a plan', async () => {
    const vm = await restored();
    const marks: string[] = [];
    const halted = new Promise<string>((resolve) => {
      vm.onMark((text) => {
        marks.push(text);
        if (text.startsWith('halt')) resolve(text);
      });
    });
    await withFileSystem(vm);
    const running = vm.agent.call('run', {
      ...{ target: bank, dir: '/mnt/data/d', seed: 3, create: true, commits: 8 },
      plan: { mode: 'step', phase: 'run', step: 6 },
      marks: { port },
    });
    running.catch(() => undefined);
    const halt = await halted;
    expect(halt).to.match(/^halt 6 redo\.commit\./);
    // Alive, and still: the agent answers, the workload says no more.
    await vm.agent.hello();
    await vm.kill();
    expect(marks.at(-1)).to.equal(halt);
    expect(marks.at(-2)).to.equal(halt.replace('halt', 's'));
    expect(await failure(running)).to.include({ kind: 'closed' });
  });

  it('mark the commits of a program before they answer it', async () => {
    const vm = await restored();
    const marks: string[] = [];
    vm.onMark((text) => marks.push(text));
    await vm.agent.call('makeFolder', { path: '/tmp/d' });
    const target = command('k=1; while :; do echo plugpull commit $k; read -r _; k=$((k + 1)); done');
    const ran = await vm.agent.call('run', {
      ...{ target, dir: '/tmp/d', seed: 3, create: true, commits: 3, plan: null, marks: { port } },
    });
    expect(ran.acked).to.equal(3);
    await vm.kill();
    expect(marks).to.deep.equal(['begin', 'ack 0', 'ack 1', 'ack 2', 'ack 3', 'done 3']);
  });

  it('read further disks, which may be shorter than they believe', async () => {
    const files = ['first', 'second'].map((text, i) => {
      const file = path.join(folder(), `extra${i}`);
      writeFileSync(
        file,
        Buffer.concat([Buffer.from(text), Buffer.alloc(1024 - text.length + 512 * i, 'x')]),
      );
      return file;
    });
    const vm = await restored({ extraDisks: files });
    for (const [i, device] of extraDevices.entries()) {
      const { data } = await vm.agent.call('get', { path: device, offset: 0, bytes: 4096 });
      const bytes = Buffer.from(data, 'base64');
      const file = readFileSync(files[i]!);
      expect(bytes).to.have.length(4096);
      expect(bytes.subarray(0, file.length).equals(file)).to.equal(true);
      expect(bytes.subarray(file.length).every((byte) => byte === 0)).to.equal(true);
    }
  });

  it('keep a log of their disk that is whole once QEMU was stopped', async () => {
    const log = path.join(folder(), 'log');
    const vm = await restored({ log });
    await withFileSystem(vm);
    await vm.agent.call('unmount', { dir: '/mnt/data' });
    await vm.stopAndQuit();
    expect(vm.alive()).to.equal(false);
    const head = readFileSync(log).subarray(0, 512);
    // magic, version, number of entries, sector size: see the kernel's dm-log-writes
    expect(head.readBigUInt64LE(0)).to.equal(0x6a736677736872n);
    expect(Number(head.readBigUInt64LE(16))).to.be.greaterThan(10);
    expect(head.readUInt32LE(24)).to.equal(512);
  });

  it('are told apart by how they end: a panic, a stopped machine, a killed one', async () => {
    const [panics, hangs, dies] = await Promise.all([restored(), restored(), restored()]);
    await panics.agent.call('makeFolder', { path: '/tmp/d' });
    const crash = command('echo c >/proc/sysrq-trigger');
    const lost = await failure(
      panics.agent.call('run', {
        ...{ target: crash, dir: '/tmp/d', seed: 1, create: false, commits: 1, plan: null, marks: {} },
      }),
    );
    expect(lost).to.be.instanceOf(AgentError);
    const panic = await panics.explain(lost);
    expect(panic).to.be.instanceOf(VmError);
    expect(panic).to.include({ kind: 'panic', guestDied: true });
    expect(panic.message).to.match(/panicked: Kernel panic .*; the end of its console: ./);
    expect(panics.console()).to.contain('sysrq triggered crash');

    await hangs.process.qmp.execute('stop');
    const late = await failure(hangs.agent.call('hello', {}, { timeoutMillis: 200 }));
    expect(await hangs.explain(late)).to.include({ kind: 'hung' });

    process.kill(dies.pid, 'SIGKILL');
    const cut = await failure(dies.agent.call('hello', {}));
    expect(await dies.explain(cut)).to.include({ kind: 'host', guestDied: false });
  });

  it('end where this machine cannot write what they write, and say so', async function () {
    if (process.getuid?.() !== 0) this.skip();
    const small = path.join(folder(), 'small-disk');
    mkdirSync(small);
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', small]).status).to.equal(0);
    try {
      const disk = makeDisk(path.join(small, 'disk'), template.config.diskBytes);
      const vm = await restored({ disk });
      const lost = await failure(
        vm.agent.call('makeFs', { device: dataDevice, fs: 'btrfs', bytes: 300 * mib }),
      );
      const why = await vm.explain(lost);
      expect(why).to.include({ kind: 'host', guestDied: false });
      expect(why.message).to.match(/cannot be written on this machine: .*space/i);
      await vm.kill();
    } finally {
      spawnSync('umount', ['--lazy', small]);
    }
  });

  it('are refused where the template is damaged, or a disk has another size', async () => {
    const copy = path.join(folder(), 'template');
    cpSync(template.folder, copy, { recursive: true });
    const state = path.join(copy, stateFile);
    const bytes = readFileSync(state);
    writeFileSync(state, bytes.subarray(0, bytes.length >> 1));
    const damaged = await failure(restored({ patienceMillis: 20_000 }, { ...template, folder: copy }));
    expect(damaged).to.be.instanceOf(VmError);
    expect(damaged).to.include({ kind: 'restore' });

    const small = makeDisk(path.join(folder(), 'small'), mib);
    expect(String(await failure(restored({ disk: small })))).to.contain('does not have');
  });
});
