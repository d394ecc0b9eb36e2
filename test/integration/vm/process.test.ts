import { expect } from 'chai';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { findTool } from '../../../harness/images/tools.js';
import { machineArguments, type MachineSpec } from '../../../harness/vm/arguments.js';
import { defaultVmConfig } from '../../../harness/vm/config.js';
import { VmError } from '../../../harness/vm/error.js';
import { QemuProcess, type QemuProgram } from '../../../harness/vm/process.js';
import { QmpError } from '../../../harness/vm/qmp.js';
import { bootSpec, kernelWords } from '../../../harness/vm/template.js';
import { Vm } from '../../../harness/vm/vm.js';
import { root } from '../../support/cli.js';
import { guestParts, type GuestParts, makeDisk, testFolder } from '../../support/vm.js';
import { rejected } from '../../support/rejected.js';

const config = { ...defaultVmConfig, memoryMiB: 256 };
const diskless: MachineSpec = {
  config,
  disks: { root: null, payload: null, data: null, extra: [] },
  boot: null,
  memory: null,
};

const failure = (promise: Promise<unknown>): Promise<VmError> => rejected(promise, VmError);

/** Is there such a process, other than one that waits to be reaped? */
function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  while (lives(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('QEMU processes', function () {
  let qemu: QemuProgram;
  const cleanups: (() => unknown)[] = [];

  before(function () {
    const program = findTool('qemu-system-x86_64');
    if (program === null) {
      this.test!.parent!.title += ' (QEMU is not installed)';
      this.skip();
    }
    qemu = { program, version: '', env: {} };
  });

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function started(): Promise<QemuProcess> {
    const process = await QemuProcess.start(qemu, machineArguments(diskless));
    cleanups.push(() => process.kill());
    return process;
  }

  it('talks to a machine without a disk', async () => {
    const process = await started();
    expect(await process.qmp.execute('query-status')).to.include({ status: 'inmigrate' });
    const [first, second] = await Promise.all([
      process.qmp.execute('query-name'),
      process.qmp.execute('query-no-such-thing').catch((error: unknown) => error),
    ]);
    expect(first).to.deep.equal({ name: 'plugpull' });
    expect(second).to.be.instanceOf(QmpError);
    expect(second).to.include({ kind: 'refused', errorClass: 'CommandNotFound' });
    expect(process.alive()).to.equal(true);
    await process.stopAndQuit();
    expect(await process.ended).to.equal(null);
    expect(process.alive()).to.equal(false);
  });

  it('says why QEMU refuses its arguments, and that there is none', async () => {
    const refused = await failure(QemuProcess.start(qemu, ['-no-such-option']));
    expect(refused.kind).to.equal('start');
    expect(refused.message).to.contain('no-such-option');
    const none = await failure(QemuProcess.start({ ...qemu, program: '/no/such/qemu' }, []));
    expect(none.kind).to.equal('start');
    expect(none.message).to.contain('/no/such/qemu');
  });

  it('notices the end of QEMU, and kills what is its own', async () => {
    const process = await started();
    const { pid } = process;
    globalThis.process.kill(pid, 'SIGSEGV');
    const why = await process.ended;
    expect(why).to.be.instanceOf(VmError);
    expect(why).to.include({ kind: 'host', guestDied: false });
    expect(why!.message).to.contain('SIGSEGV');
    expect((await failure(process.tell('hung', 'stop'))).message).to.contain('SIGSEGV');

    const other = await started();
    await other.kill();
    expect(lives(other.pid)).to.equal(false);
    expect(await other.ended).to.equal(null);
    await other.kill();
  });

  it('dies with its controller, even by SIGKILL', async () => {
    const script = `
      import { QemuProcess } from '${root}/harness/vm/process.ts';
      const started = await QemuProcess.start(${JSON.stringify(qemu)}, ${JSON.stringify(machineArguments(diskless))});
      console.log(started.pid);
      setInterval(() => undefined, 1000);`;
    const controller = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    cleanups.push(() => controller.kill('SIGKILL'));
    const [said] = (await once(controller.stdout, 'data')) as [Buffer];
    const pid = Number(said.toString());
    expect(lives(pid)).to.equal(true);
    controller.kill('SIGKILL');
    await gone(pid);
  });

  it('does not start for a parent that is gone', () => {
    const source = readFileSync(path.join(root, 'harness', 'vm', 'process.ts'), 'utf8');
    const script = /const unlessOrphaned = '(.*)';/.exec(source)![1]!;
    const run = (parent: number) =>
      spawnSync('/bin/sh', ['-c', script, String(parent), 'echo', 'started'], { encoding: 'utf8' }).stdout;
    expect(run(process.pid)).to.equal('started\n');
    expect(run(process.pid + 1)).to.equal('');
  });

  describe('with a guest', () => {
    let parts: GuestParts;

    beforeEach(async function () {
      parts = await guestParts(this);
    });

    async function boot(
      { words = '', root }: { words?: string; root?: string },
      patienceMillis?: number,
    ): Promise<VmError> {
      const { folder, remove } = testFolder();
      cleanups.push(remove);
      const data = makeDisk(path.join(folder, 'data'), config.diskBytes);
      const { image } = parts;
      const spec = bootSpec({ ...image, root: root ?? image.root }, image.root, config, data);
      spec.boot!.append = `${kernelWords} ${words}`;
      return failure(Vm.boot(parts.qemu, spec, patienceMillis));
    }

    it('says that the kernel panicked, and shows the end of its console', async () => {
      const error = await boot({ words: 'rdinit=/no/such/init root=/dev/none' });
      expect(error.kind).to.equal('panic');
      expect(error.message).to.match(/the guest's kernel panicked: Kernel panic - not syncing/);
      expect(error.console).to.contain('Kernel panic');
      expect(error.console.length).to.be.lessThan(100_000);
    });

    it('says what the first program of the guest says when it gives up', async () => {
      const error = await boot({ root: path.join(root, 'package.json') });
      expect(error.kind).to.equal('gone');
      expect(error.message).to.match(/the guest powered itself off: the guest cannot start: .* root/);
      expect(error.console).to.contain('plugpull: kernel');
    });

    it('does not wait for a guest that does not come up', async () => {
      const error = await boot({}, 300);
      expect(error.kind).to.equal('boot');
      expect(error.message).to.contain('did not boot to its agent in 0.3 s');
    });
  });

  it('leaves nothing behind', () => {
    const left = spawnSync('pgrep', ['-P', String(process.pid), 'qemu'], { encoding: 'utf8' }).stdout;
    expect(left).to.equal('');
  });
});
