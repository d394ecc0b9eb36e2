/** vm-images/machine.sh: whom its switch may kill, and which QEMU runs which kernel. No guest is started. */
import { expect } from 'chai';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root, temporaryFolder } from '../support/cli.js';

const script = path.join(root, 'vm-images', 'machine.sh');

describe('machine.sh', () => {
  let folder: string;
  let remove: () => void;
  const started: ChildProcess[] = [];
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(async () => {
    for (const child of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    remove();
  });

  const call = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    spawnSync(script, args, { encoding: 'utf8', timeout: 20_000, env: { ...process.env, ...env } });
  const start = (args: string[]): ChildProcess => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)', '--', ...args], {
      stdio: 'ignore',
    });
    started.push(child);
    writeFileSync(path.join(folder, 'pid'), `${child.pid ?? ''}\n`);
    return child;
  };
  /** Tells its version, and else what it was called with. */
  const fakeQemu = (file: string, version: string): void => {
    mkdirSync(path.dirname(file), { recursive: true });
    const lines = [
      '#!/bin/sh',
      `if [ "$1" = --version ]; then echo "QEMU emulator version ${version} (Debian)"; exit; fi`,
      `echo "${version} $*" >>${folder}/called`,
    ];
    writeFileSync(file, lines.join('\n'));
    chmodSync(file, 0o755);
  };
  const machineOf = (release: string): string => {
    const image = path.join(folder, 'image');
    mkdirSync(image);
    const manifest = { id: 'x', kernel: { package: 'linux-image', release }, packages: { release: 'x' } };
    writeFileSync(path.join(image, 'image.json'), JSON.stringify(manifest, null, 2));
    writeFileSync(path.join(folder, 'machine'), `image=${image}\nport=1\n`);
    return image;
  };
  const withQemu = (version: string): NodeJS.ProcessEnv => {
    const bin = path.join(folder, 'bin');
    fakeQemu(path.join(bin, 'qemu-system-x86_64'), version);
    return { PATH: `${bin}:${process.env.PATH ?? ''}` };
  };
  const called = (): string => {
    const file = path.join(folder, 'called');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };

  it('off kills its machine', async () => {
    const machine = start(['-pidfile', path.join(folder, 'pid')]);
    const ended = once(machine, 'exit');
    expect(call(['off', folder]).status).to.equal(0);
    expect((await ended)[1]).to.equal('SIGKILL');
    expect(existsSync(path.join(folder, 'pid'))).to.equal(false);
  });

  it('off leaves alone who has the number of its machine after a reboot', () => {
    const other = start([]);
    expect(call(['off', folder]).status).to.equal(0);
    expect(other.signalCode).to.equal(null);
    expect(() => process.kill(other.pid ?? 0, 0)).not.to.throw();
    expect(existsSync(`/proc/${other.pid ?? 0}/cmdline`)).to.equal(true);
    expect(readFileSync(`/proc/${other.pid ?? 0}/status`, 'utf8')).not.to.match(/^State:\s+Z/m);
  });

  it('on does nothing where it is on', () => {
    machineOf('6.1.0-50-amd64');
    start(['-pidfile', path.join(folder, 'pid')]);
    expect(call(['on', folder], withQemu('7.2.22')).status).to.equal(0);
    expect(called()).to.equal('');
  });

  it('on takes the QEMU of the image', () => {
    const image = machineOf('6.12.95+deb12-amd64');
    fakeQemu(path.join(image, 'qemu', 'qemu-system-x86_64'), '10.0.2');
    const { status, stderr } = call(['on', folder], withQemu('7.2.22'));
    expect(status, stderr).to.equal(0);
    expect(called()).to.match(/^10\.0\.2 .*-accel tcg/);
  });

  it('on refuses a kernel that the QEMU here must not emulate', () => {
    machineOf('6.12.95+deb12-amd64');
    const { status, stderr } = call(['on', folder], withQemu('7.2.22'));
    expect(status).to.equal(64);
    expect(stderr).to.match(/kernel 6\.12\.95\S* needs QEMU 10 or newer.*this is 7: Before version 10, QEMU/);
    expect(called()).to.equal('');
    expect(call(['on', folder], { ...withQemu('7.2.22'), ACCEL: 'kvm' }).status).to.equal(0);
    expect(call(['on', folder], withQemu('10.0.2')).status).to.equal(0);
  });

  it('on lets the QEMU here emulate an old kernel', () => {
    machineOf('6.1.0-50-amd64');
    const { status, stderr } = call(['on', folder], withQemu('7.2.22'));
    expect(status, stderr).to.equal(0);
    expect(called()).to.match(/^7\.2\.22 /);
  });
});
