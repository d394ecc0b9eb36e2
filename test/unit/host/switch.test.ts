import { expect } from 'chai';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PowerSwitch } from '../../../harness/host/switch.js';
import { temporaryFolder, until } from '../../support/cli.js';

describe('a power switch', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
    writeFileSync(path.join(folder, 'log'), '');
  });
  afterEach(() => remove());

  const log = (): string => readFileSync(path.join(folder, 'log'), 'utf8');
  const make = (powerOff: string, powerOn: string | null): PowerSwitch => {
    const at = (command: string): string => `cd '${folder}'; ${command}`;
    return new PowerSwitch({
      address: { user: 'root', host: 'pi', port: 22 },
      powerOff: at(powerOff),
      powerOn: powerOn === null ? null : at(powerOn),
      commandMillis: 10_000,
    });
  };
  /** As at an exit of this process. */
  const exit = (): void => {
    for (const listener of process.listeners('exit')) {
      if (!before.includes(listener)) listener(0);
    }
  };
  let before: NodeJS.ExitListener[];
  beforeEach(() => {
    before = process.listeners('exit');
  });
  afterEach(() => {
    for (const listener of process.listeners('exit')) {
      if (!before.includes(listener)) process.off('exit', listener);
    }
  });

  it('tries again to give power back, three times in all', async () => {
    const third = make('true', 'echo on >>log; [ "$(wc -l <log)" -ge 3 ]');
    expect((await third.on())?.ok).to.equal(true);
    expect(log()).to.equal('on\non\non\n');
    expect(third.takeLog().match(/command failed \(exit 1\)/g)).to.have.length(2);
    const never = make('true', 'echo no >>log; exit 4');
    expect((await never.on())?.text).to.include('failed (exit 4)');
    expect(log()).to.equal('on\non\non\nno\nno\nno\n');
  });

  it('tells what it did, once', async () => {
    const power = make('echo done', null);
    await power.off();
    expect(power.takeLog()).to.match(
      /^power-off: .*\n {2}the power-off command ended well: done \(\d+ ms\)$/,
    );
    expect(power.takeLog()).to.equal('');
    expect(await power.on()).to.equal(null);
  });

  it('gives back at the exit what it took, and may have taken', async () => {
    for (const off of ['echo off >>log', 'echo off >>log; exit 1']) {
      writeFileSync(path.join(folder, 'log'), '');
      await make(off, 'echo on >>log').off();
      exit();
      await until('power is back', () => log() === 'off\non\n');
      for (const listener of process.listeners('exit')) {
        if (!before.includes(listener)) process.off('exit', listener);
      }
    }
  });

  it('gives nothing back at the exit where power is on', async () => {
    const power = make('echo off >>log', 'echo on >>log');
    await power.off();
    await power.on();
    expect(process.listeners('exit')).to.deep.equal(before);
    await make('true', null).off();
    expect(process.listeners('exit')).to.deep.equal(before);
    expect(log()).to.equal('off\non\n');
  });
});
