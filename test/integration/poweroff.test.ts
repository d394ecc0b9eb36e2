/** Guests that really lose their power. */
import { expect } from 'chai';
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { RunEvent, TrialEnded } from '../../harness/core/events.js';
import { defaultCommandLimits, type Target } from '../../harness/core/target.js';
import { readDiskBundle } from '../../harness/disk/bundle.js';
import { parseFileSystem } from '../../harness/disk/file-systems.js';
import type { Epoch } from '../../harness/disk/trace-index.js';
import { Guests } from '../../harness/poweroff/guests.js';
import { runPowerTrial, survivors, type PowerTrial, type TrialOrder } from '../../harness/poweroff/trial.js';
import { whyNoDiskHere } from '../../harness/rigs/disk.js';
import { VmError } from '../../harness/vm/error.js';
import { ensureTemplate } from '../../harness/vm/template.js';
import { plugpull, root, temporaryFolder, until } from '../support/cli.js';
import { asNobody, cacheWith, giveAway } from '../support/nobody.js';
import { rejected } from '../support/rejected.js';
import { guestParts, testFolder } from '../support/vm.js';
import { redoBank as redo } from '../support/targets.js';

const unflushed: Target = {
  kind: 'command',
  id: 'unflushed',
  setup: 'unflushed.sh setup',
  run: 'unflushed.sh run',
  check: 'unflushed.sh check',
  with: [path.join(root, 'examples', 'unflushed.sh')],
  ignore: [],
  expect: 'hold',
  recoverTwice: 'state',
  limits: defaultCommandLimits,
};

function events(folder: string): RunEvent[] {
  const text = readFileSync(path.join(folder, 'out', 'events.jsonl'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as RunEvent);
}

/** Processes of QEMU that this run, or what came of it, has started. */
function guestsOf(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const mine = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(folder);
      return mine && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('qemu-system');
    } catch {
      return false; // it is gone
    }
  });
}

/** A seed with which no write survives that was not flushed, however many there are. */
function nothingSurvives(): number {
  const epoch = (count: number): Epoch => {
    const write = { id: 1, kind: 'write', offset: 0, length: 4096, acked: 0, step: null } as const;
    const pending = Array.from({ length: count }, () => write);
    return { number: 0, ackedFirst: 0, ackedLast: 0, pending, step: null, hasAck: false };
  };
  const none = (seed: number): boolean =>
    [1, 2, 5, 20, 50].every((count) => survivors(epoch(count), seed, 4096).size === 0);
  for (let seed = 0; ; seed++) if (none(seed)) return seed;
}

describe('guests that lose their power', function () {
  this.timeout(240_000);
  let scratch: { folder: string; remove: () => void } | undefined;
  let guests: Guests | undefined;

  before(async function () {
    this.timeout(300_000);
    await guestParts(this);
    scratch = testFolder();
    guests = await Guests.open('6.1', scratch.folder, () => undefined);
  });

  after(() => {
    guests?.close();
    scratch?.remove();
  });

  async function trial(
    order: Pick<TrialOrder, 'target' | 'mode' | 'plan'> & { seed?: number },
    fs = 'ext4',
    from = guests,
  ): Promise<PowerTrial> {
    if (from === undefined) throw new Error('no guests');
    const folder = from.trialFolder();
    const more = { seed: 7, fs: parseFileSystem(fs), folder, unit: 4096 };
    return runPowerTrial(from, { ...more, ...order });
  }

  it('recover in a fresh guest what a volatile disk had been told to flush', async () => {
    const plan = { mode: 'time', phase: 'run', afterCommit: 2, delayMicros: 200_000 } as const;
    const { judgement, acked, cut, checks } = await trial({ target: redo, mode: 'volatile', plan });
    expect(judgement.verdict, judgement.reason).to.equal('held');
    expect(acked).to.be.at.least(2);
    expect(cut?.trace.flushes).to.be.greaterThan(2);
    expect(checks.map(({ outcome }) => outcome)).to.deep.equal(['consistent', 'consistent']);
  });

  it('stand still at a step, and lose their power there', async () => {
    const plan = { mode: 'step', phase: 'run', step: 5, delayMicros: 20_000_000 } as const;
    const { judgement, step } = await trial({ target: redo, mode: 'kept', plan }, 'f2fs');
    expect(judgement.verdict, judgement.reason).to.equal('held');
    expect(step).to.match(/^redo\.commit\./);
  });

  it('show what only a volatile disk shows: a store that never flushes it', async () => {
    const plan = { mode: 'time', phase: 'run', afterCommit: 4, delayMicros: 1 } as const;
    const kept = await trial({ target: unflushed, mode: 'kept', plan });
    expect(kept.judgement.verdict, kept.judgement.reason).to.equal('held');
    const lost = await trial({ target: unflushed, mode: 'volatile', plan, seed: nothingSurvives() });
    expect(lost.judgement.verdict, lost.judgement.reason).to.equal('lost');
    expect(lost.acked).to.be.at.least(4);
  });

  it('measure nothing where the guest itself dies before the cut, and say what it said', async () => {
    const dies: Target = { ...unflushed, run: 'echo c >/proc/sysrq-trigger; sleep 60' };
    const plan = { mode: 'time', phase: 'run', afterCommit: 0, delayMicros: 20_000_000 } as const;
    const { judgement, logs } = await trial({ target: dies, mode: 'volatile', plan });
    expect(judgement.verdict).to.equal('not-measured');
    expect(judgement.reason).to.match(/the guest died before its power was cut: .*Kernel panic .*sysrq/);
    expect(logs['console-first']).to.match(/Kernel panic - not syncing: sysrq triggered crash/);
  });

  it('are unrecoverable where the guest panics again and again while it recovers, with its console', async () => {
    const dies: Target = { ...unflushed, check: 'echo c >/proc/sysrq-trigger; sleep 60' };
    const plan = { mode: 'time', phase: 'run', afterCommit: 1, delayMicros: 1000 } as const;
    const { judgement, logs, note } = await trial({ target: dies, mode: 'kept', plan });
    expect(judgement.verdict, judgement.reason).to.equal('unrecoverable');
    expect(judgement.reason).to.match(/the guest died during recovery: the guest's kernel panicked/);
    expect(logs.console).to.match(/Kernel panic - not syncing: sysrq triggered crash/);
    expect(note).to.equal(null);
  });

  it('say nothing of the target where QEMU is killed while it recovers', async () => {
    const plan = { mode: 'time', phase: 'run', afterCommit: 1, delayMicros: 1000 } as const;
    let restored = 0;
    const killing = Object.create(guests ?? null) as Guests;
    killing.restore = async (disks) => {
      const vm = await Guests.prototype.restore.call(guests, disks);
      if (++restored === 2) setTimeout(() => process.kill(vm.pid, 'SIGKILL'), 100);
      return vm;
    };
    const failure = await rejected(trial({ target: redo, mode: 'kept', plan }, 'ext4', killing), VmError);
    expect(failure).to.include({ kind: 'host' });
    expect(failure.message).to.match(/SIGKILL/);
  });

  it('measure nothing where it is not a fresh guest that recovers', async () => {
    const plan = { mode: 'time', phase: 'run', afterCommit: 1, delayMicros: 1000 } as const;
    let bootId = '';
    const same = Object.create(guests ?? null) as Guests;
    same.restore = async (disks) => {
      const vm = await Guests.prototype.restore.call(guests, disks);
      if (bootId !== '') vm.bootId = bootId;
      ({ bootId } = vm);
      return vm;
    };
    const { judgement } = await trial({ target: redo, mode: 'kept', plan }, 'ext4', same);
    expect(judgement).to.deep.include({
      verdict: 'not-measured',
      reason: 'it was not a fresh guest that recovered',
    });
  });

  it('are broken where recovering again changes the files', async () => {
    const grows: Target = {
      ...unflushed,
      recoverTwice: 'bytes',
      check: 'echo again >>"$PLUGPULL_DIR/log"; echo "plugpull state $PLUGPULL_ACKED"',
    };
    const plan = { mode: 'time', phase: 'run', afterCommit: 1, delayMicros: 1000 } as const;
    const { judgement } = await trial({ target: grows, mode: 'kept', plan });
    expect(judgement.verdict).to.equal('broken');
    expect(judgement.reason).to.match(/not idempotent: .*log/);
  });

  it('have no way out to the network', async () => {
    if (guests === undefined) throw new Error('no guests');
    const disk = path.join(scratch?.folder ?? '', 'no-network');
    await guests.emptyDisk(disk);
    const target: Target = { ...unflushed, run: 'ls /sys/class/net; cat /proc/net/route; exit 0', with: [] };
    const log = await guests.withGuest({ disk }, async ({ agent }) => {
      await agent.call('makeFolder', { path: '/tmp/d' });
      const what = { target, dir: '/tmp/d', seed: 1, create: false, commits: 1, plan: null, marks: {} };
      return (await agent.call('run', what)).log;
    });
    const [devices = '', ...routes] = log.split('Iface');
    expect(devices.trim()).to.equal('lo');
    expect(routes.join('').trim().split('\n')).to.have.length(1);
  });

  it('measure nothing where the work ends before the cut', async () => {
    const ended: Target = { ...unflushed, run: 'exit 0' };
    const plan = { mode: 'time', phase: 'run', afterCommit: 0, delayMicros: 20_000_000 } as const;
    const { judgement } = await trial({ target: ended, mode: 'kept', plan });
    expect(judgement.verdict).to.equal('not-measured');
    expect(judgement.reason).to.match(/nothing was cut/);
  });
});

describe('a campaign of power-offs', function () {
  this.timeout(240_000);
  let place: ReturnType<typeof temporaryFolder> | undefined;
  beforeEach(async function () {
    await guestParts(this);
    place = temporaryFolder();
  });
  afterEach(() => place?.remove());

  const folder = (): string => place?.folder ?? '';
  const run = (...args: string[]): ReturnType<typeof plugpull> =>
    plugpull(
      [
        'run',
        '--backend',
        'redo',
        '--workload',
        'bank',
        '--fault',
        'poweroff',
        '--out',
        'out',
        '--quiet',
        ...args,
      ],
      folder(),
      230_000,
    );

  it('cuts the log of one run at many places, and replays in a guest what it finds', async () => {
    const args = ['--fault', 'poweroff', '--fs', 'ext4', '--power-off-mode', 'log', '--states', '60'];
    const result = await plugpull(
      [
        'run',
        '--backend',
        'plain',
        '--workload',
        'bank',
        '--out',
        'out',
        '--json',
        '--commits',
        '5',
        ...args,
      ],
      folder(),
      230_000,
    );
    expect(result.status, result.stderr).to.equal(0);
    const { findings } = JSON.parse(result.stdout) as { findings: { verdict: string; fs: string }[] };
    expect(findings[0]).to.deep.include({ verdict: 'torn', fs: 'ext4 on 6.1, log' });
    // What the guest said, what ran in it, and the files as the cut left them.
    const finding = path.join(folder(), 'out', 'findings', '0001');
    const read = (name: string): string => readFileSync(path.join(finding, name), 'utf8');
    expect(read('kernel.log')).to.match(/EXT4-fs/);
    expect(read('guest.log')).to.match(/^Linux 6\.1\..*QEMU[^]*\ne2fsprogs \d/);
    expect(readdirSync(path.join(finding, 'after-crash'))).to.not.have.length(0);
    expect((JSON.parse(read('finding.json')) as { guest: string }).guest).to.match(
      /^Linux 6\.1\..*image 6\.1-/,
    );
    const replayed = await plugpull(['replay', 'out/findings/0001', '--json'], folder());
    expect(replayed.status, replayed.stderr).to.equal(1);
    expect(JSON.parse(replayed.stdout)).to.deep.include({ verdict: 'torn', same: true });
  });

  it('cuts a log whose states this machine recovers itself', async function () {
    if (whyNoDiskHere() !== null) this.skip();
    const what = ['--backend', 'plain', '--workload', 'bank', '--fault', 'poweroff', '--recover', 'host'];
    const args = [
      '--fs',
      'ext4',
      '--power-off-mode',
      'log',
      '--trials',
      '60',
      '--commits',
      '5',
      '--seed',
      '4',
    ];
    const result = await plugpull(['run', ...what, ...args, '--out', 'out', '--json'], folder(), 230_000);
    expect(result.status, result.stderr).to.equal(0);
    const { findings } = JSON.parse(result.stdout) as { findings: { verdict: string; fs: string }[] };
    expect(findings[0]).to.deep.include({ verdict: 'torn', fs: 'ext4 on 6.1, log' });
    // It is shown again by what recovered it.
    const bundle = readDiskBundle(path.join(folder(), 'out', 'findings', '0001', 'bundle.plugpull'));
    expect(bundle?.manifest).to.not.have.any.keys('kernel', 'guest');
    const replayed = await plugpull(['replay', 'out/findings/0001', '--json'], folder());
    expect(JSON.parse(replayed.stdout)).to.deep.include({ verdict: 'torn', same: true });
  });

  it('has measured nothing where the guest dies whose log is wanted, and says so', async () => {
    const dies = ['--setup', 'true', '--run', 'echo c >/proc/sysrq-trigger; sleep 60', '--check', 'true'];
    const args = [
      '--fault',
      'poweroff',
      '--power-off-mode',
      'log',
      '--fs',
      'ext4',
      '--states',
      '5',
      '--json',
    ];
    const { status, stdout } = await plugpull(['run', ...dies, ...args, '--out', 'out'], folder(), 230_000);
    expect(status).to.equal(2);
    const { verdict, notes } = JSON.parse(stdout) as { verdict: string; notes: { text: string }[] };
    expect(verdict).to.equal('not-measured');
    const told = notes.map(({ text }) => text).join('\n');
    expect(told).to.match(/ext4 on 6.1, log: the guest died while it worked: .*panicked/);
  });

  it('needs no root: neither for guests, nor to explore a log in them, nor to replay', async function () {
    this.timeout(400_000);
    if (process.getuid?.() !== 0) this.skip(); // then all the others show it
    const { image } = await guestParts(this);
    const cache = cacheWith(image);
    try {
      // A boot takes as long for everybody.
      const { key, folder: template } = await ensureTemplate(image, {}, () => undefined);
      cpSync(template, path.join(cache, 'templates', key), { recursive: true });
      giveAway(cache);
      const what = ['--planted', 'redo.log-not-synced', '--workload', 'bank', '--fault', 'poweroff'];
      const args = ['--fs', 'ext4', '--trials', '40', '--commits', '2', '--seed', '4'];
      const modes = ['--power-off-mode', 'log', '--out', 'out', '--quiet', '--json'];
      const { status, stdout, stderr } = await asNobody(
        cache,
        ['run', ...what, ...args, ...modes],
        {},
        280_000,
      );
      expect(status, stderr).to.equal(0);
      const { findings } = JSON.parse(stdout) as { findings: { verdict: string; folder: string }[] };
      expect(findings.map(({ verdict }) => verdict)).to.include('lost');
      const finding = path.join('out', findings[0]?.folder ?? '');
      const again = await asNobody(cache, ['replay', finding, '--json']);
      expect(again.status, again.stderr).to.equal(1);
      expect(JSON.parse(again.stdout)).to.include({ same: true });
    } finally {
      rmSync(cache, { recursive: true, force: true });
    }
  });

  it('leaves no guest behind, neither after a signal nor after a SIGKILL', async () => {
    const interrupted = run('--fs', 'ext4', '--power-off-mode', 'volatile', '--trials', '10000');
    await until('a trial', () => trials().length > 0, 200_000);
    interrupted.child.kill('SIGINT');
    expect((await interrupted).status).to.equal(130);
    expect(guestsOf(folder())).to.deep.equal([]);

    const again = plugpull(['run', '--resume', 'out'], folder(), 200_000);
    await until('a guest', () => guestsOf(folder()).length > 0, 100_000);
    again.child.kill('SIGKILL');
    await again;
    await until('no guest', () => guestsOf(folder()).length === 0);
    const indices = trials().map(({ index }) => index);
    expect(new Set(indices).size).to.equal(indices.length);
  });

  function trials(): TrialEnded[] {
    try {
      return events(folder()).filter((event) => event.type === 'trial');
    } catch {
      return []; // not there yet
    }
  }
});
