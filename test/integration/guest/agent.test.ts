import { expect } from 'chai';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Duplex } from 'node:stream';
import { defaultCommandLimits, type CommandTarget } from '../../../harness/core/target.js';
import { AgentClient, AgentError } from '../../../harness/guest/client.js';
import { chunkBytes } from '../../../harness/guest/protocol.js';
import { root, temporaryFolder } from '../../support/cli.js';
import { rejected } from '../../support/rejected.js';
import { redoBank as bank } from '../../support/targets.js';

function command(run: string, check = 'true'): CommandTarget {
  const common = { expect: 'hold', recoverTwice: 'bytes' } as const;
  return {
    kind: 'command',
    id: 'c',
    setup: 'true',
    run,
    check,
    limits: defaultCommandLimits,
    with: [],
    ignore: [],
    ...common,
  };
}

const counter =
  'k=1; while :; do echo plugpull commit $k; echo $k >"$PLUGPULL_DIR/k"; read -r _; k=$((k + 1)); done';

const refusal = (promise: Promise<unknown>): Promise<AgentError> => rejected(promise, AgentError);

/** Processes below one. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const own = text === '' ? [] : text.split(' ').map(Number);
  return own.flatMap((child) => [child, ...childrenOf(child)]);
}

describe('the agent over a pipe', function () {
  this.timeout(60_000);
  let folder: string;
  let remove: () => void;
  let child: ChildProcess;
  let agent: AgentClient;

  before(() => {
    ({ folder, remove } = temporaryFolder());
    mkdirSync(path.join(folder, 'tmp'));
    child = spawn(process.execPath, ['--import', 'tsx', path.join(root, 'harness', 'guest', 'main.ts')], {
      cwd: root,
      env: { ...process.env, TMPDIR: path.join(folder, 'tmp') },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    agent = new AgentClient(Duplex.from({ writable: child.stdin!, readable: child.stdout! }));
  });

  after(() => {
    child.kill('SIGKILL');
    remove();
  });

  function newFolder(name: string): string {
    const dir = path.join(folder, name);
    mkdirSync(dir);
    return dir;
  }

  it('takes the death of what mounts for none of the file system, and mounts again with another', async () => {
    const mount = { device: '/dev/null', fs: 'ext4', dir: newFolder('mount') };
    expect((await agent.call('mount', mount)).error).to.match(/mount/);
    const hands = childrenOf(child.pid!).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('plugpull-disk\0hand'),
    );
    expect(hands).to.have.length(1);
    process.kill(hands[0]!, 'SIGKILL');
    const lost = await refusal(agent.call('mount', mount));
    expect(lost.kind).to.equal('refused');
    expect(lost.message).to.match(/plugpull-disk hand ended \(SIGKILL\)/);
    expect((await agent.call('mount', mount)).error).to.match(/mount/);
  });

  it('says who it is, and warms up without leaving anything', async () => {
    const hello = await agent.hello();
    expect(hello).to.include({ node: process.version, pid: child.pid, uid: process.getuid!() });
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    expect(await agent.call('bootId', {})).to.deep.equal({ bootId });
    await agent.call('warm', {});
    // tsx keeps what it compiled there.
    const left = readdirSync(path.join(folder, 'tmp')).filter((name) => !name.startsWith('tsx'));
    expect(left).to.deep.equal([]);
  });

  it('refuses nonsense, and what only a guest may be told', async () => {
    const call = agent.call.bind(agent) as (method: string, params: unknown) => Promise<unknown>;
    expect((await refusal(call('explode', {}))).failure!.code).to.equal('EMETHOD');
    expect((await refusal(call('constructor', {}))).failure!.code).to.equal('EMETHOD');
    const nonsense: [string, unknown][] = [
      ['mount', {}],
      ['mount', { device: 'relative', fs: 'ext4', dir: folder }],
      ['put', { path: '/a b', mode: 1, offset: 0, data: '' }],
      ['put', { path: '/tmp/x', mode: -1, offset: 0, data: '' }],
      ['put', { path: path.join(folder, 'x'), mode: 0o600, offset: 0, data: 'A'.repeat(2 * chunkBytes) }],
      ['remove', { path: '/no-such-folder' }],
      ['keep', { dir: folder, copy: '/no-such-folder' }],
      ['run', { target: { kind: 'other' } }],
      ['run', []],
      ['try', { epoch: 0, choices: '-', acked: 0, times: 1 }],
      ['wake', { epochMillis: 0, entropy: '' }],
    ];
    for (const [method, params] of nonsense) {
      const { failure } = await refusal(call(method, params));
      expect(failure, method).to.include({ code: 'EPARAMS' });
    }
    const fs = await refusal(agent.call('mount', { device: '/dev/null', fs: 'no-such', dir: folder }));
    expect(fs.failure).to.include({ exitCode: 64 });
    child.stdin!.write('{ this is no JSON\n{"method": "hello"}\n');
    await agent.hello();
    expect(agent.log.toString()).to.contain('not a request: { this is no JSON');
    expect(agent.log.toString()).to.contain('a request without an id');
  });

  it('gives errors of the OS by code', async () => {
    const { failure } = await refusal(
      agent.call('get', { path: path.join(folder, 'none'), offset: 0, bytes: 1 }),
    );
    expect(failure!.code).to.equal('ENOENT');
  });

  it('moves files, and keeps and compares folders', async () => {
    const data = Buffer.alloc(chunkBytes + 100, 'abc');
    const file = path.join(folder, 'with', 'program');
    await agent.putFile(file, 0o750, data);
    expect(readFileSync(file).equals(data)).to.equal(true);
    expect(statSync(file).mode & 0o777).to.equal(0o750);
    await agent.putFile(file, 0o640, Buffer.from('shorter'));
    expect((await agent.getFile(file, 100)).toString()).to.equal('shorter');

    const dir = path.dirname(file);
    const copy = path.join(folder, 'copy');
    await agent.call('keep', { dir, copy });
    expect(await agent.call('compare', { dir, copy, ignore: [] })).to.deep.equal({ difference: null });
    writeFileSync(file, 'changed');
    expect((await agent.call('compare', { dir, copy, ignore: [] })).difference).to.contain('program');
    expect(await agent.call('compare', { dir, copy, ignore: ['prog*'] })).to.deep.equal({ difference: null });
    await agent.call('remove', { path: copy });
    expect(readdirSync(folder)).to.not.include('copy');
  });

  for (const [name, target] of Object.entries({ builtin: bank, command: command(counter) })) {
    it(`goes on only when a mark is confirmed: ${name} target`, async () => {
      const dir = newFolder(`confirm-${name}`);
      const marks: string[] = [];
      let held: (() => void) | null = null;
      let forget = () => undefined as unknown;
      const stopped = new Promise<void>((resolve) => {
        forget = agent.onMark((text) => {
          marks.push(text);
          if (text !== 'ack 2') return undefined;
          resolve();
          return new Promise<void>((go) => (held = go));
        });
      });
      const running = agent.call('run', {
        ...{ target, dir, seed: 5, create: true, commits: 4, plan: null },
        marks: { confirm: true, steps: false },
      });
      await stopped;
      // It stands still there, however long that takes.
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(marks).to.deep.equal(['begin', 'ack 0', 'ack 1', 'ack 2']);
      if (name === 'command') expect(readFileSync(path.join(dir, 'k'), 'utf8')).to.equal('2\n');
      held!();
      expect((await running).acked).to.equal(4);
      forget();
      expect(marks.slice(4)).to.deep.equal(['ack 3', 'ack 4', 'done 4']);
      if (name === 'builtin') {
        const check = await agent.call('check', { target, dir, seed: 5, acked: 4 });
        expect(check).to.include({ outcome: 'consistent', state: 4 });
      }
    });
  }

  it('writes marks to a file before the work goes on, and goes on with what is there', async () => {
    const dir = newFolder('port');
    const port = path.join(folder, 'marks');
    writeFileSync(port, '');
    const common = { target: bank, dir, seed: 9, plan: null, marks: { port } };
    await agent.call('run', { ...common, create: true, commits: 2 });
    const text = readFileSync(port, 'utf8');
    expect(text).to.match(/^begin\ns 1 redo\.create\./);
    expect(text).to.match(/ack 2\ndone 2\n$/);
    const more = await agent.call('run', { ...common, create: false, commits: 3 });
    expect(more.acked).to.equal(5);
  });

  it('says what a program reports of its state, and how it failed', async () => {
    const dir = newFolder('check');
    const asked = { dir, seed: 1, acked: 3 };
    const good = command('true', 'echo plugpull state $PLUGPULL_ACKED');
    expect(await agent.call('check', { target: good, ...asked })).to.include({
      outcome: 'consistent',
      state: 3,
    });
    const bad = command('true', 'echo it is torn >&2; exit 1');
    const found = await agent.call('check', { target: bad, ...asked });
    expect(found).to.include({ outcome: 'inconsistent', reason: 'it is torn' });
  });

  it('ends all that it started when it is left, also a workload that stands still', async () => {
    const dir = newFolder('left');
    const port = path.join(folder, 'left-marks');
    writeFileSync(port, '');
    const plan = { mode: 'step', phase: 'run', step: 5 } as const;
    const running = refusal(
      agent.call('run', {
        ...{ target: bank, dir, seed: 5, create: true, commits: 8, plan, marks: { port } },
      }),
    );
    while (!/^halt 5 /m.test(readFileSync(port, 'utf8')))
      await new Promise((resolve) => setTimeout(resolve, 10));
    const below = childrenOf(child.pid!);
    expect(below).to.have.length.greaterThan(1);
    const ended = once(child, 'close');
    agent.close();
    child.stdin!.end();
    expect((await running).kind).to.equal('closed');
    await ended;
    const alive = below.filter((pid) => {
      try {
        return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      } catch {
        return false;
      }
    });
    expect(alive).to.deep.equal([]);
  });
});
