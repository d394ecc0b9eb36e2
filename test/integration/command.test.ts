import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type { CrashPlan } from '../../harness/core/events.js';
import { type CommandOptions, CommandSubject } from '../../harness/subjects/command.js';

/** A store that is right: one file, replaced by rename. Speaks the protocol in plain sh. */
const goodRun = `
  k=$(cat "$PLUGPULL_DIR/value")
  while :; do
    k=$((k + 1))
    echo $k >"$PLUGPULL_DIR/new" && mv "$PLUGPULL_DIR/new" "$PLUGPULL_DIR/value"
    echo "plugpull commit $k"
    read -r answer || exit 0
  done`;
const good: CommandOptions = {
  setup: 'echo 0 >"$PLUGPULL_DIR/value"',
  run: goodRun,
  check: 'echo "plugpull state $(cat "$PLUGPULL_DIR/value")"',
};

const afterCommit = (commit: number, delayMicros: number): CrashPlan => ({
  mode: 'time',
  phase: 'run',
  afterCommit: commit,
  delayMicros,
});

describe('command target', () => {
  let folder: string;
  const subjects: CommandSubject[] = [];

  const subject = (options: Partial<CommandOptions> = {}): CommandSubject => {
    const made = new CommandSubject({ ...good, ...options });
    subjects.push(made);
    return made;
  };
  const run = (script: string, limits: CommandOptions['limits'] = {}) =>
    subject({ run: script, limits }).run(folder, 1, undefined, { commits: 5 });
  const check = (script: string, limits: CommandOptions['limits'] = {}) =>
    subject({ check: script, limits }).check(folder, 1, 3);

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'plugpull-command-'));
  });
  afterEach(async () => {
    await Promise.all(subjects.splice(0).map((one) => one.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('sets up, is killed after an acknowledged commit, and is checked', async () => {
    const target = subject();
    expect(await target.setup(folder, 1)).to.include({ end: 'exited', exit: 0, acked: 0 });
    const ran = await target.run(folder, 1, afterCommit(10, 300));
    expect(ran.end).to.equal('killed-by-us');
    expect(ran.signal).to.equal(9);
    expect(ran.acked).to.be.at.least(10);
    expect(ran.commitMicros).to.be.above(0);
    const checked = await target.check(folder, 1, ran.acked);
    expect(checked).to.include({ outcome: 'consistent', reason: '' });
    expect(checked.state).to.be.within(ran.acked, ran.acked + 1);
  });

  it('holds over many kills, in the run and again in the check', async () => {
    const target = subject();
    let inFlight = 0;
    for (let i = 0; i < 40; i++) {
      rmSync(folder, { recursive: true });
      mkdirSync(folder);
      await target.setup(folder, i);
      const ran = await target.run(folder, i, afterCommit(i % 4, 1 + 97 * i));
      expect(ran.end).to.equal('killed-by-us');
      if (ran.begun) inFlight++;
      await target.check(folder, i, ran.acked, { mode: 'time', phase: 'recover', delayMicros: 50 * i });
      const checked = await target.check(folder, i, ran.acked);
      expect(checked.outcome).to.equal('consistent');
      expect(checked.state).to.be.within(ran.acked, ran.acked + 1);
    }
    expect(inFlight).to.be.above(0);
  });

  it('gives the commands the folder, the seed and the acked commit', async () => {
    const show = 'echo "$PLUGPULL_DIR $PLUGPULL_SEED ${PLUGPULL_ACKED-none}"';
    const target = subject({ setup: show, check: show });
    expect((await target.setup(folder, 77)).log).to.equal(`${folder} 77 none\n`);
    expect((await target.check(folder, 77, 5)).log).to.equal(`${folder} 77 5\n`);
  });

  it('counts a commit whose line was in the pipe when the program died', async () => {
    const killItself = 'echo "plugpull commit 1"; kill -KILL $$';
    const ran = await run(killItself);
    expect(ran).to.include({ acked: 1, end: 'crashed', signal: 9, begun: false });
    expect(ran.detail).to.contain('SIGKILL');
  });

  it('does not count a commit line that was cut short', async () => {
    const ran = await run('echo "plugpull commit 1"; read -r x; printf "plugpull commit 2"; kill -KILL $$');
    expect(ran).to.include({ acked: 1, end: 'crashed', log: 'plugpull commit 2' });
  });

  it('knows that nothing was in flight while it waited for the answer', async () => {
    const ran = await subject()
      .setup(folder, 1)
      .then(() => subject().run(folder, 1, undefined, { commits: 7 }));
    expect(ran).to.include({ acked: 7, begun: false, end: 'killed-by-us' });
    // It has printed commit 1 and never reads the answer to it.
    const deaf = subject({ run: 'echo "plugpull commit 1"; sleep 60' });
    expect(await deaf.run(folder, 1, afterCommit(1, 20_000))).to.include({
      acked: 1,
      begun: false,
      end: 'killed-by-us',
    });
  });

  it('tells of each commit before it is answered', async () => {
    const target = subject();
    await target.setup(folder, 1);
    const seen: number[] = [];
    const onCommit = async (commit: number) => {
      await Promise.resolve();
      expect(Number(readFileSync(path.join(folder, 'value'), 'utf8'))).to.equal(commit);
      seen.push(commit);
    };
    await target.run(folder, 1, undefined, { commits: 4, onCommit });
    expect(seen).to.deep.equal([1, 2, 3, 4]);
  });

  describe('a set-up', () => {
    it('that fails is shown with its stderr', async () => {
      const made = await subject({ setup: 'echo "disk is on fire" >&2; exit 5' }).setup(folder, 1);
      expect(made).to.include({ acked: -1, end: 'exited', exit: 5, detail: 'exit 5: disk is on fire' });
    });

    it('may print commit 0 and wait for the answer', async () => {
      const setup = 'echo "plugpull commit 0"; read -r answer || exit 9; echo done';
      expect(await subject({ setup }).setup(folder, 1)).to.include({ acked: 0, exit: 0, log: 'done\n' });
    });

    it('can be killed by a plan', async () => {
      const plan: CrashPlan = { mode: 'time', phase: 'create', delayMicros: 2000 };
      expect(await subject({ setup: 'sleep 60' }).setup(folder, 1, plan)).to.include({
        acked: -1,
        begun: true,
        end: 'killed-by-us',
      });
    });

    it('that hangs is a time-out', async () => {
      const made = await subject({ setup: 'sleep 60', limits: { setup: { millis: 60 } } }).setup(folder, 1);
      expect(made).to.include({ acked: -1, end: 'timeout', detail: 'it was not done within 0.06 s' });
    });
  });

  describe('a run', () => {
    it('whose program does not exist says so', async () => {
      const ran = await run('plugpull-no-such-program');
      expect(ran).to.include({ end: 'exited', exit: 127, acked: 0 });
      expect(ran.detail).to.match(/^exit 127, program not found: .*plugpull-no-such-program/);
    });

    it('that exits early says how', async () => {
      expect(await run('exit 0')).to.include({ end: 'exited', exit: 0, acked: 0 });
      expect(await run('echo "plugpull commit 1"; read -r x; echo "no space" >&2; exit 4')).to.include({
        end: 'exited',
        acked: 1,
        detail: 'exit 4: no space',
      });
    });

    it('that crashes inside the shell is a crash', async () => {
      const ran = await run('sh -c "kill -SEGV \\$\\$"; exit $?');
      expect(ran).to.include({ end: 'crashed', exit: 139 });
      expect(ran.detail).to.contain('SIGSEGV');
    });

    it('that prints nothing is a time-out', async () => {
      expect(await run('sleep 60', { run: { answerMillis: 60 } })).to.include({
        end: 'timeout',
        acked: 0,
        detail: 'no line "plugpull commit 1" within 0.06 s',
      });
      expect(await run('echo "plugpull commit 1"; sleep 60', { run: { answerMillis: 200 } })).to.include({
        end: 'timeout',
        acked: 1,
        detail: 'no line "plugpull commit 2" within 0.2 s',
      });
    });

    it('that floods stdout is stopped, and its log stays small', async () => {
      const ran = await run('yes', { run: { outputBytes: 2 ** 20 } });
      expect(ran).to.include({ end: 'protocol-error', detail: 'it printed more than 1048576 bytes' });
      expect(ran.log.length).to.be.below(70_000);
      expect(await run('tr "\\0" x </dev/zero', { run: { outputBytes: 2 ** 20 } })).to.include({
        end: 'protocol-error',
      });
    });

    it('that floods its memory is stopped', async () => {
      const hungry = `${process.execPath} -e "const a=[];for(;;)a.push(Buffer.alloc(1<<20,1))"`;
      expect(await run(hungry, { run: { memoryBytes: 150 * 2 ** 20 } })).to.include({
        end: 'crashed',
        detail: 'it used more than 150 MiB',
      });
    });

    it('that acknowledges out of order or twice breaks the protocol', async () => {
      const order = await run('echo "plugpull commit 1"; read -r x; echo "plugpull commit 3"; sleep 60');
      expect(order).to.include({ end: 'protocol-error', acked: 1 });
      expect(order.detail).to.equal('commit 3 was printed out of order (expected 2): "plugpull commit 3"');
      const twice = await run('echo "plugpull commit 1"; read -r x; echo "plugpull commit 1"; sleep 60');
      expect(twice.detail).to.equal('commit 1 was printed twice (expected 2): "plugpull commit 1"');
    });

    it('that does not wait for the answers breaks the protocol', async () => {
      const ran = await run('for k in 1 2 3 4; do echo "plugpull commit $k"; done; sleep 60', {
        run: { millis: 500 },
      });
      expect(ran.end).to.equal('protocol-error');
      expect(ran.detail).to.contain('it did not wait');
      const early = 'echo "plugpull commit 1"; sleep 0.05; echo "plugpull commit 2"; sleep 60';
      expect(await run(early, { run: { answerMillis: 100 } })).to.include({ end: 'protocol-error' });
      const slow = 'for k in 1 2 3 4; do echo "plugpull commit $k"; sleep 0.05; done; exit 0';
      expect((await run(slow)).detail).to.contain('it did not wait');
    });

    it('that leaves children behind names them, and they are gone', async () => {
      const ran = await run(
        'setsid sh -c "sleep 75; touch $PLUGPULL_DIR/late" </dev/null & sleep 0.1; exit 0',
      );
      expect(ran).to.include({ end: 'exited', exit: 0 });
      expect(ran.detail).to.match(/^it left processes behind: .*(sh|sleep) \(\d+\)/);
      for (const { pid } of ran.leftovers ?? []) expect(existsSync(`/proc/${pid}`)).to.equal(false);
    });
  });

  describe('a check', () => {
    it('that finds damage gives its reason', async () => {
      expect(await check('echo "plugpull state 2"; echo "row 7 is torn" >&2; exit 1')).to.include({
        outcome: 'inconsistent',
        state: 2,
        reason: 'row 7 is torn',
      });
      expect(await check('exit 1')).to.include({ outcome: 'inconsistent', reason: 'check gave no reason' });
    });

    it('without a state line counts by its exit status alone', async () => {
      expect(await check('exit 0')).to.include({ outcome: 'consistent', state: null });
    });

    it('that exits otherwise, crashes, or is not found has failed', async () => {
      expect(await check('echo "plugpull state 3"; exit 2')).to.include({
        outcome: 'failed',
        state: null,
        reason: 'check: exit 2',
      });
      expect((await check('kill -SEGV $$')).reason).to.equal('check: ended by SIGSEGV');
      const missing = await check('plugpull-no-such-program');
      expect(missing).to.include({ outcome: 'failed', misuse: true });
      expect(missing.reason).to.contain('exit 127, program not found');
    });

    it('that hangs has failed', async () => {
      const hung = await check('sleep 60', { check: { millis: 60 } });
      expect(hung).to.include({ outcome: 'failed', reason: 'check: it was not done within 0.06 s' });
      expect(hung.end.stopped).to.equal('time');
      expect(hung.killedByUs).to.equal(undefined);
    });

    it('that prints nonsense has failed, and is at fault itself', async () => {
      const nonsense = await check('echo "plugpull state banana"');
      expect(nonsense).to.include({ outcome: 'failed', misuse: true });
      expect(nonsense.reason).to.contain('malformed line "plugpull state banana"');
      const flood = await check('yes plugpull', { check: { outputBytes: 2 ** 18 } });
      expect(flood.end.stopped).to.equal('output');
    });

    it('reads nothing from us', async () => {
      expect(await check('read -r line || echo "plugpull state 3"')).to.include({ state: 3 });
    });

    it('can be killed by a plan', async () => {
      const plan: CrashPlan = { mode: 'time', phase: 'recover', delayMicros: 2000 };
      const cut = await subject({ check: 'sleep 60' }).check(folder, 1, 0, plan);
      expect(cut).to.include({ outcome: 'failed', killedByUs: true });
      const quick = await subject()
        .setup(folder, 1)
        .then(() =>
          subject().check(folder, 1, 0, { mode: 'time', phase: 'recover', delayMicros: 10_000_000 }),
        );
      expect(quick).to.include({ outcome: 'consistent', state: 0 });
    });
  });

  it('puts programs of --with first in PATH, and removes them at the end', async () => {
    const tool = path.join(folder, 'plugpull-test-tool');
    writeFileSync(tool, '#!/bin/sh\necho "tool $0"\n');
    chmodSync(tool, 0o600);
    const target = subject({ setup: 'plugpull-test-tool', with: [tool] });
    const made = await target.setup(folder, 1);
    expect(made.log).to.match(/^tool .*plugpull-tools-/);
    const copy = made.log.trim().slice('tool '.length);
    expect(existsSync(copy)).to.equal(true);
    await target.close();
    expect(existsSync(path.dirname(copy))).to.equal(false);
  });

  it('refuses what cannot be meant', async () => {
    expect(() => subject({ run: ' ' })).to.throw('the run command is empty');
    expect(() => subject({ with: ['/does/not/exist'] })).to.throw('--with /does/not/exist: ENOENT');
    expect(() => subject({ with: ['/bin/sh', '/usr/bin/sh'] })).to.throw('have the same name');
    const refused = async (promise: Promise<unknown>) => String(await promise.catch((e: unknown) => e));
    expect(await refused(subject().setup(path.join(folder, 'nothing'), 1))).to.contain('is not a folder');
    const step: CrashPlan = { mode: 'step', phase: 'run', step: 3 };
    expect(await refused(subject().run(folder, 1, step))).to.contain('cannot be stopped by step');
    expect(await refused(subject().check(folder, 1, 0, afterCommit(1, 1)))).to.contain(
      'was given to recover',
    );
  });

  it('ends what runs when it is closed', async () => {
    const target = subject({ run: 'sleep 76' });
    const ran = target.run(folder, 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await target.close();
    expect(await ran).to.include({ end: 'crashed', signal: 9 });
  });
});
