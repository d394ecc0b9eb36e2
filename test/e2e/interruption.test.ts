import { expect } from 'chai';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { RunEvent } from '../../harness/core/events.js';
import { plugpull, processesNaming, temporaryFolder, until } from '../support/cli.js';

const campaign = [
  'run',
  '--backend',
  'copy,redo',
  '--workload',
  'bank',
  '--fault',
  'kill',
  '--seed',
  '5',
  '--jobs',
  '2',
  '--quiet',
];

function events(folder: string): RunEvent[] {
  const file = path.join(folder, 'out', 'events.jsonl');
  if (!existsSync(file)) return [];
  const text = readFileSync(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RunEvent);
}

const trials = (folder: string): number => events(folder).filter(({ type }) => type === 'trial').length;

const inMemory = (prefix: string): number =>
  readdirSync('/dev/shm').filter((name) => name.startsWith(prefix)).length;

describe('a run that is interrupted', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(() => remove());

  it('stops cleanly at the first signal, with exit status 130, and goes on by --resume', async () => {
    const run = plugpull([...campaign, '--trials', '100000', '--out', 'out'], folder);
    await until('some trials', () => trials(folder) > 20);
    run.child.kill('SIGINT');
    const result = await run;
    expect(result.status).to.equal(130);
    expect(events(folder).at(-1)).to.deep.include({ type: 'run-ended', interrupted: true });
    expect(readdirSync(path.join(folder, 'out'))).not.to.include('lock');
    const before = trials(folder);

    const again = plugpull(['run', '--resume', 'out'], folder);
    await until('more trials', () => trials(folder) > before + 20);
    again.child.kill('SIGINT');
    expect((await again).status).to.equal(130);
    const indices = events(folder).flatMap((event) => (event.type === 'trial' ? [event.index] : []));
    expect(new Set(indices).size).to.equal(indices.length, 'a trial was done twice');
    expect(processesNaming(folder)).to.deep.equal([]);
  });

  it('stops at once at the second signal', async () => {
    const run = plugpull([...campaign, '--for', '10m', '--out', 'out'], folder);
    await until('some trials', () => trials(folder) > 5);
    run.child.kill('SIGINT');
    run.child.kill('SIGTERM');
    const result = await run;
    expect(result.status).to.equal(130);
    await until('all processes gone', () => processesNaming(folder).length === 0);
  });

  it('stops at a signal to the process that was started, where it works in mounts of its own', async () => {
    const run = plugpull(
      ['run', '--backend', 'snap', '--workload', 'bank', '--fault', 'kill', '--for', '10m', '--out', 'out'],
      folder,
    );
    await until('some trials', () => trials(folder) > 0 || run.child.exitCode !== null);
    run.child.kill('SIGINT');
    const { status } = await run;
    // Without root and without a file system that clones files there is nothing to interrupt.
    expect(status).to.equal(trials(folder) > 0 ? 130 : 2);
    await until('all processes gone', () => processesNaming(folder).length === 0);
  });

  for (const signal of ['SIGHUP', 'SIGTERM'] as const) {
    it(`leaves no files in memory behind after ${signal}, once or twice`, async () => {
      for (const times of [1, 2]) {
        const out = `out-${times}`;
        const run = plugpull([...campaign, '--for', '10m', '--out', out], folder);
        const mine = `plugpull-scratch-${run.child.pid}-`;
        await until('its files', () => inMemory(mine) > 0 || existsSync(path.join(folder, out, 'work')));
        for (let i = 0; i < times; i++) run.child.kill(signal);
        expect((await run).status, signal).to.equal(130);
        await until('all processes gone', () => processesNaming(folder).length === 0);
        expect(inMemory(mine)).to.equal(0);
        expect(existsSync(path.join(folder, out, 'work'))).to.equal(false);
      }
    });
  }

  it('leaves nothing running, and a run that can be read and resumed, when the controller is killed', async () => {
    const run = plugpull([...campaign, '--for', '10m', '--out', 'out'], folder);
    await until('some trials', () => trials(folder) > 20);
    run.child.kill('SIGKILL');
    expect((await run).signal).to.equal('SIGKILL');
    await until('all processes gone', () => processesNaming(folder).length === 0);

    const report = await plugpull(['report', 'out', '--json'], folder);
    expect(report.status).to.equal(0);
    expect(JSON.parse(report.stdout)).to.have.property('schema');

    const before = trials(folder);
    const again = plugpull(['run', '--resume', 'out'], folder);
    await until('more trials', () => trials(folder) > before);
    again.child.kill('SIGKILL');
    await again;
    await until('all processes gone', () => processesNaming(folder).length === 0);
  });

  it('leaves no image in memory when its starter is killed, where it works in mounts of its own', async function () {
    if (process.getuid?.() !== 0) this.skip(); // only root gets them
    const run = plugpull(
      ['run', '--backend', 'snap', '--workload', 'bank', '--fault', 'kill', '--for', '10m', '--out', 'out'],
      folder,
    );
    await until('some trials', () => trials(folder) > 5);
    const [lock = ''] = readFileSync(path.join(folder, 'out', 'lock'), 'utf8').split(' ');
    run.child.kill('SIGKILL');
    await run;
    await until('all processes gone', () => processesNaming(folder).length === 0);
    expect(inMemory(`plugpull-scratch-${lock}-`)).to.equal(0);
  });

  it('lets no second run into its directory', async () => {
    const run = plugpull([...campaign, '--for', '10m', '--out', 'out'], folder);
    await until('the lock', () => existsSync(path.join(folder, 'out', 'lock')));
    const second = await plugpull([...campaign, '--trials', '1', '--out', 'out'], folder);
    expect(second.status).to.equal(64);
    const resumed = await plugpull(['run', '--resume', 'out'], folder);
    expect(resumed.status).to.equal(64);
    expect(resumed.stderr).to.match(/is writing to/);
    run.child.kill('SIGINT');
    await run;
  });
});
