/**
 * `plugpull run --host` against an ssh server of our own: all that can go wrong with a machine and its power switch, short
 * of a power cut. Those are in host-power.test.ts.
 */
import { expect } from 'chai';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RunEvent, TrialEnded } from '../../harness/core/events.js';
import { parseAddress } from '../../harness/host/address.js';
import type { Mount } from '../../harness/host/facts.js';
import { loginMethods } from '../../harness/host/identity.js';
import { Machine } from '../../harness/host/machine.js';
import { hostDefaults, type HostOptions } from '../../harness/host/options.js';
import { Place } from '../../harness/host/place.js';
import { runHostTrial } from '../../harness/host/trial.js';
import { plugpull, processesNaming, root, temporaryFolder, until, type Cli } from '../support/cli.js';
import { makeKey, Sshd, whyNoSshd } from '../support/sshd.js';

const why = whyNoSshd();

(why === null ? describe : describe.skip)(
  `a machine over ssh${why === null ? '' : ` (${why})`}`,
  function () {
    this.timeout(120_000);
    let sshd: Sshd;
    let folder: string;
    let remove: () => void;
    before(async () => {
      sshd = await Sshd.start();
    });
    after(() => sshd.remove());
    beforeEach(() => {
      ({ folder, remove } = temporaryFolder());
    });
    afterEach(() => remove());

    let runs = 0;
    const out = (): string => path.join(folder, `out-${runs}`);
    const run = (changes: Record<string, string | null>, more: string[] = []): Cli => {
      runs++;
      const flags: Record<string, string | null> = {
        '--host': sshd.address,
        '--identity': sshd.key,
        '--known-hosts': sshd.knownHosts,
        '--power-off': 'true',
        '--remote-dir': folder,
        '--remote-plugpull': root,
        '--off-for': '10ms',
        '--trials': '1',
        '--out': out(),
        ...changes,
      };
      const args = Object.entries(flags).flatMap(([flag, value]) => (value === null ? [] : [flag, value]));
      const targets = more.length > 0 ? more : ['--backend', 'redo', '--workload', 'bank'];
      return plugpull(['run', ...args, ...targets], folder);
    };
    const trial = (): TrialEnded => {
      const lines = readFileSync(path.join(out(), 'events.jsonl'), 'utf8').trim().split('\n');
      const found = lines.map((line) => JSON.parse(line) as RunEvent).find((event) => event.type === 'trial');
      if (found === undefined) throw new Error(`no trial among ${lines.length} events`);
      return found;
    };
    /** A program that does to the server what is asked for, as a power switch would. */
    const script = (name: string, lines: string[]): string => {
      const file = path.join(folder, name);
      writeFileSync(file, ['#!/bin/sh', ...lines].join('\n'));
      chmodSync(file, 0o755);
      return file;
    };
    /** Ends the server and its sessions at once; the sessions are not its process group. */
    const killServer = (): string =>
      script('kill-server', [
        `pid=$(cat ${sshd.folder}/pid)`,
        'kill -KILL $(ps -o pid= --ppid $pid) $pid',
        'while kill -0 $pid 2>/dev/null && ! grep -q "^State:.Z" /proc/$pid/status; do sleep 0.02; done',
      ]);
    const startServer = (): string =>
      script('start-server', [`/usr/sbin/sshd -D -f ${sshd.folder}/config >/dev/null 2>&1 </dev/null &`]);
    const restoreServer = async (): Promise<void> => {
      await sshd.stop();
      await plainKill();
      await sshd.start();
    };
    /** The server that a script started. */
    const plainKill = async (): Promise<void> => {
      for (const pid of processesNaming(`${sshd.folder}/config`)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It is gone.
        }
      }
      await until('the server is gone', () => processesNaming(`${sshd.folder}/config`).length === 0);
    };

    it('refuses what is not enough to cut the power of anything', async () => {
      const noSwitch = await run({ '--power-off': null });
      expect(noSwitch.status).to.equal(64);
      expect(noSwitch.stderr).to.include('needs --power-off');
      const noHost = await run({ '--host': null, '--power-on': 'true' });
      expect(noHost.status).to.equal(64);
      expect(noHost.stderr).to.include('goes with --host');
      const relative = await run({ '--remote-dir': 'test' });
      expect(relative.status).to.equal(64);
      expect(relative.stderr).to.include('the whole path');
      const locked = await run({ '--identity': makeKey(path.join(folder, 'locked'), 'ed25519', 'a secret') });
      expect(locked.status).to.equal(64);
      expect(locked.stderr).to.include('is encrypted').and.include('ssh-add');
    });

    it('refuses a wrong key, an unknown host and a changed one', async () => {
      const stranger = await run({ '--identity': makeKey(path.join(folder, 'stranger')) });
      expect(stranger.status).to.equal(69);
      expect(stranger.stderr).to.include('does not accept the key');
      const unknown = await run({ '--known-hosts': path.join(folder, 'none') });
      expect(unknown.status).to.equal(69);
      expect(unknown.stderr).to.match(/is not known: it shows ssh-ed25519 SHA256:.*\n.*ssh-keyscan/);
      const other = readFileSync(`${makeKey(path.join(folder, 'other'))}.pub`, 'utf8');
      writeFileSync(path.join(folder, 'changed'), `[127.0.0.1]:${sshd.port} ${other}`);
      const changed = await run({ '--known-hosts': path.join(folder, 'changed') });
      expect(changed.status).to.equal(69);
      expect(changed.stderr).to.match(/has changed: it shows .* SHA256:[\s\S]*ssh-keygen -f .* -R/);
    });

    it('refuses a folder that is missing, not writable, or in memory, and a missing plugpull', async () => {
      const cases: [Record<string, string>, string][] = [
        [{ '--remote-dir': `${folder}/none` }, 'has no folder'],
        [{ '--remote-dir': '/proc/sys' }, 'cannot write in /proc/sys'],
        [{ '--remote-dir': '/dev/shm' }, 'lives in memory'],
        [{ '--remote-plugpull': folder }, 'no built plugpull'],
        [{ '--after-boot': 'echo no such disk >&2; exit 32' }, '(exit 32): no such disk'],
      ];
      for (const [changes, message] of cases) {
        const { status, stderr } = await run(changes);
        expect(status, stderr).to.equal(69);
        expect(stderr).to.include(message);
      }
    });

    it('measures nothing where the power command fails, and shows what it said', async () => {
      const { status, stdout } = await run({ '--power-off': 'echo no relay at port 3 >&2; exit 3' }, [
        ...['--setup', 'true', '--check', 'true', '--with', path.join(root, 'examples', 'journal.sh')],
        ...['--run', 'n=0; while :; do n=$((n + 1)); echo "plugpull commit $n"; read -r go; done'],
      ]);
      expect(status, stdout).to.equal(2);
      expect(trial().verdict).to.equal('not-measured');
      expect(trial().reason).to.include('power-off command failed (exit 3): no relay at port 3');
    });

    it('measures nothing where the power command does nothing', async () => {
      const { status, stdout } = await run({});
      expect(status, stdout).to.equal(2);
      expect(trial().reason).to.include('still answered');
    });

    it('measures nothing where only the connection was cut: the boot id is the same', async () => {
      try {
        const { status, stdout, stderr } = await run({
          '--power-off': killServer(),
          '--power-on': startServer(),
        });
        expect(status, stdout + stderr).to.equal(2);
        expect(trial().reason).to.include('its boot id is still the same');
      } finally {
        await restoreServer();
      }
    });

    it('says that a machine does not come back, and that the power-on command failed', async () => {
      try {
        const off = await run({ '--power-off': killServer(), '--boot-timeout': '2s' });
        expect(off.status, off.stderr).to.equal(69);
        expect(off.stderr).to.include('did not come back within 2 s').and.include('--power-on');
        expect(trial().verdict).to.equal('not-measured');
      } finally {
        await restoreServer();
      }
      try {
        const broken = await run({
          '--power-off': killServer(),
          '--power-on': 'exit 4',
          '--out': `${out()}-2`,
        });
        expect(broken.status, broken.stderr).to.equal(69);
        expect(broken.stderr).to.include('power-on command failed (exit 4)');
      } finally {
        await restoreServer();
      }
    });

    it('gives power back where the power-off command fails after it has switched', async () => {
      try {
        const { status, stdout, stderr } = await run({
          '--power-off': `${killServer()}; echo no answer >&2; exit 1`,
          '--power-on': startServer(),
        });
        expect(status, stdout + stderr).to.equal(2);
        expect(trial().reason).to.match(/power-off command failed \(exit 1\): .*no answer/);
        expect(processesNaming(`${sshd.folder}/config`), 'the machine is on').not.to.deep.equal([]);
      } finally {
        await restoreServer();
      }
    });

    /** A switch whose power-off never ends by itself once it has switched. */
    const stuck = (): Record<string, string> => ({
      '--power-off': `${killServer()}; touch ${folder}/is-off; sleep 600`,
      '--power-on': startServer(),
    });
    const isOff = (): boolean => existsSync(path.join(folder, 'is-off'));

    it('gives power back when it is stopped at once, while power is off', async () => {
      try {
        const running = run(stuck());
        await until('the power is off', isOff, 60_000);
        running.child.kill('SIGINT');
        running.child.kill('SIGTERM');
        expect((await running).status).to.equal(130);
        await until('the machine is on', () => processesNaming(`${sshd.folder}/config`).length > 0);
        await until('the switch is gone', () => processesNaming(`${folder}/is-off`).length === 0);
      } finally {
        await restoreServer();
      }
    });

    it('gives power back in the next run, where it was killed while power was off', async () => {
      try {
        const running = run(stuck());
        await until('the power is off', isOff, 60_000);
        running.child.kill('SIGKILL');
        await running;
        for (const pid of processesNaming(`${folder}/is-off`)) process.kill(pid, 'SIGKILL');
        expect(processesNaming(`${sshd.folder}/config`)).to.deep.equal([]);
        const again = plugpull(['run', '--resume', out()], folder);
        // The same switch, so that it gets stuck again: then it has been in use.
        const notes = (): string => readFileSync(path.join(out(), 'events.jsonl'), 'utf8');
        await until('power is given', () => notes().includes('does not answer: giving it power'));
        rmSync(path.join(folder, 'is-off'));
        await until('a trial got as far as its cut', isOff, 60_000);
        again.child.kill('SIGINT');
        again.child.kill('SIGTERM');
        expect((await again).status).to.equal(130);
      } finally {
        await restoreServer();
      }
    });

    it('stops after the trial under way at the first Ctrl-C, power on, and goes on by --resume', async () => {
      try {
        const running = run({
          '--power-off': `${killServer()}; touch ${folder}/is-off`,
          '--power-on': startServer(),
          '--off-for': '3s',
          '--trials': '2',
        });
        await until('the power is off', isOff, 60_000);
        running.child.kill('SIGINT');
        const { status, stderr } = await running;
        expect(status, stderr).to.equal(130);
        expect(trial().reason).to.include('its boot id is still the same');
        const again = await plugpull(['run', '--resume', out()], folder);
        expect(again.status, again.stderr).to.equal(2);
        const events = readFileSync(path.join(out(), 'events.jsonl'), 'utf8');
        expect(events.match(/"type":"trial"/g)).to.have.length(2);
      } finally {
        await restoreServer();
      }
    });

    it('refuses to empty a folder that it did not make', async () => {
      mkdirSync(path.join(folder, 'plugpull', 'data'), { recursive: true });
      writeFileSync(path.join(folder, 'plugpull', 'data', 'thesis'), '');
      const { status, stderr } = await run({});
      expect(status, stderr).to.equal(69);
      expect(stderr).to.include('is there already, and no run of plugpull has made it');
      expect(existsSync(path.join(folder, 'plugpull', 'data', 'thesis'))).to.equal(true);
    });

    it('refuses to go on where another file system lies under the folder', async () => {
      const begun = await run({ '--power-off': 'exit 1', '--boot-timeout': '1s' });
      expect(begun.status, begun.stderr).to.equal(2);
      const seen = path.join(out(), 'host-mount.json');
      const mount = JSON.parse(readFileSync(seen, 'utf8')) as Mount;
      writeFileSync(seen, JSON.stringify({ ...mount, point: '/mnt/test', fs: 'f2fs' } satisfies Mount));
      const { status, stderr } = await plugpull(['run', '--resume', out()], folder);
      expect(status, stderr).to.equal(69);
      expect(stderr).to.include(`came back, but ${folder} does not: it was f2fs on /mnt/test`);
    });

    it('measures nothing where the connection is lost before the cut, and leaves nothing running', async () => {
      const address = parseAddress(sshd.address);
      const options: HostOptions = {
        ...hostDefaults,
        address,
        login: loginMethods(address.user, sshd.key),
        knownHosts: sshd.knownHosts,
        powerOff: 'true',
        powerOn: null,
        afterBoot: null,
        remoteDir: folder,
        remotePlugpull: root,
      };
      const machine = new Machine(options, () => undefined);
      const place = path.join(folder, 'plugpull');
      const wait = 'n=0; while :; do n=$((n + 1)); echo "plugpull commit $n"; read -r go || sleep 1; done';
      const running = runHostTrial(machine, new Place(place), {
        target: {
          kind: 'command',
          id: 'program',
          setup: 'true',
          run: `touch "$PLUGPULL_DIR/begun"; ${wait}`,
          check: 'true',
          with: [],
          ignore: [],
          expect: 'hold',
          recoverTwice: 'state',
          limits: { timeMs: 20_000, memoryBytes: 1024 ** 3 },
        },
        seed: 1,
        plan: { mode: 'time', phase: 'run', afterCommit: 2, delayMicros: 60_000_000 },
        commits: 1_000_000,
      });
      try {
        await until('the program runs', () => existsSync(`${place}/data/begun`), 60_000);
        await sshd.stop();
        const { judgement } = await running;
        expect(judgement.verdict).to.equal('not-measured');
        expect(judgement.reason).to.include('before the power was cut');
        await until('nothing of it is left', () => processesNaming(`${place}/data`).length === 0);
      } finally {
        machine.leave();
        await sshd.start();
      }
    });

    it('writes no secret to its log or its output', async () => {
      const { stdout, stderr } = await run({ '--power-off': 'exit 1' });
      const events = readFileSync(path.join(out(), 'events.jsonl'), 'utf8');
      const secrets = readFileSync(sshd.key, 'utf8')
        .split('\n')
        .filter((line) => line.length > 20 && !line.startsWith('-----'));
      expect(secrets.length).to.be.greaterThan(2);
      for (const text of [stdout, stderr, events]) {
        for (const secret of secrets) expect(text).not.to.include(secret);
        expect(text).not.to.include('PRIVATE KEY');
      }
      expect(events).to.include('power-command');
    });
  },
);
