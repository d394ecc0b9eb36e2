import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runPowerCommand } from '../../../harness/host/power.js';
import { temporaryFolder } from '../../support/cli.js';

const address = { user: 'root', host: 'pi', port: 2222 };
const run = (command: string, millis = 10_000) => runPowerCommand('power-off', command, address, millis);

describe('a power command', () => {
  it('ends well, with what it said and the machine in its environment', async () => {
    const { ok, text } = await run('echo "off: $PLUGPULL_HOST $PLUGPULL_ADDRESS"');
    expect(ok).to.equal(true);
    expect(text).to.equal('the power-off command ended well: off: pi root@pi:2222');
  });

  it('fails with its exit status and the end of what it said', async () => {
    const { ok, text } = await run('echo first; echo no such relay >&2; exit 3');
    expect(ok).to.equal(false);
    expect(text).to.equal('the power-off command failed (exit 3): first no such relay');
  });

  it('fails by a signal, and where there is no such program', async () => {
    expect((await run('kill -9 $$')).text).to.include('failed (SIGKILL)');
    expect((await run('/no/such/relay')).text)
      .to.include('exit 127')
      .and.include('not found');
  });

  it('is killed with its children when it takes too long', async () => {
    const { folder, remove } = temporaryFolder();
    try {
      const file = path.join(folder, 'pid');
      const { ok, text } = await run(`sleep 600 & echo $! > ${file}; wait`, 300);
      expect(ok).to.equal(false);
      expect(text).to.include('was not done in 0.3 s');
      const pid = Number(readFileSync(file, 'utf8'));
      for (let i = 0; i < 200 && alive(pid); i++) await sleep(20);
      expect(alive(pid)).to.equal(false);
    } finally {
      remove();
    }
  });

  it('may leave something running, as one that starts a machine does', async () => {
    const { folder, remove } = temporaryFolder();
    try {
      const file = path.join(folder, 'pid');
      const { ok } = await run(`sleep 600 & echo $! > ${file}`);
      const pid = Number(readFileSync(file, 'utf8'));
      expect(ok).to.equal(true);
      expect(alive(pid)).to.equal(true);
      process.kill(pid, 'SIGKILL');
    } finally {
      remove();
    }
  });
});

function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
