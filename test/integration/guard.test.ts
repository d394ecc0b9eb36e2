import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import {
  type GuardReport,
  type LaunchOptions,
  type Launched,
  guardPath,
  launch,
  launchLocally,
} from '../../harness/subjects/guard.js';

interface Ended extends GuardReport {
  stdout: string;
  stderr: string;
}

/** Starts a shell script under the guard. */
async function start(script: string, options: Partial<LaunchOptions> = {}): Promise<Launched> {
  return await launchLocally({ argv: ['/bin/sh', '-c', script], ...options });
}

/** Reads all that a program says until its end; `onLine` sees each line of its stdout. */
async function finish(launched: Launched, onLine?: (line: string) => void): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  let seen = 0;
  launched.stdout.on('data', (data) => {
    stdout += String(data);
    for (let at = stdout.indexOf('\n', seen); at >= 0; at = stdout.indexOf('\n', seen)) {
      onLine?.(stdout.slice(seen, at));
      seen = at + 1;
    }
  });
  launched.stderr.on('data', (data) => (stderr += String(data)));
  return { ...(await launched.ended), stdout, stderr };
}

/** Processes whose environment holds a mark that only one test gives. */
function marked(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
      } catch {
        return false;
      }
    });
}

/** Waits until no process carries the mark: the kernel ends a process a moment after the signal. */
async function allGone(mark: string): Promise<void> {
  for (let tries = 0; marked(mark).length > 0; tries++) {
    if (tries > 500) throw new Error(`still alive: ${marked(mark).join(', ')}`);
    await sleep(10);
  }
}

let marks = 0;
function newMark(): { mark: string; env: NodeJS.ProcessEnv } {
  const mark = `PLUGPULL_TEST_MARK=${process.pid}-${++marks}-end`;
  return { mark, env: { ...process.env, PLUGPULL_TEST_MARK: mark.split('=')[1] } };
}

describe('guard', () => {
  it('hands on stdio as pipes and tells the exit status', async () => {
    const launched = await start('read line; echo "got $line"; echo wrong >/dev/stderr; exit 3');
    launched.stdin.write('hello\nrest\n');
    const ended = await finish(launched);
    expect(ended).to.include({ exit: 3, signal: null, killed: false, stopped: null, leftoverCount: 0 });
    expect(ended).to.include({ stdout: 'got hello\n', stderr: 'wrong\n', unread: 5 });
  });

  it('tells a signal that was not ours from a kill', async () => {
    const own = await finish(await start('kill -SEGV $$'));
    expect(own).to.include({ exit: null, signal: 11, killed: false });
    const other = await finish(await start('kill -KILL $$'));
    expect(other).to.include({ signal: 9, killed: false });
  });

  it('kills at once a program that ignores all signals, and keeps what it had printed', async () => {
    const launched = await start("trap '' TERM INT HUP QUIT; echo ready; while :; do sleep 1; done");
    const ended = await finish(launched, () => launched.kill());
    expect(ended).to.include({ exit: null, signal: 9, killed: true, stopped: null, stdout: 'ready\n' });
  });

  it('kills after a delay, also one from the start', async () => {
    const launched = await start('echo ready; sleep 60');
    expect(await finish(launched, () => launched.kill(2000))).to.include({ killed: true, stdout: 'ready\n' });
    expect(await finish(await start('sleep 60', { killAfterMicros: 1500 }))).to.include({ killed: true });
  });

  it('does not claim a kill of what had ended before', async () => {
    const launched = await start('exit 0');
    const ended = await finish(launched);
    launched.kill();
    expect(ended).to.include({ exit: 0, killed: false });
  });

  it('kills children that escaped by setsid and by a double fork', async () => {
    const { mark, env } = newMark();
    const script =
      '(setsid sh -c "sleep 61 & sleep 62" &) ; (sleep 63 &) ; setsid sleep 64 & sleep 0.2; echo up; sleep 65';
    const launched = await start(script, { env });
    const ended = await finish(launched, () => launched.kill());
    expect(ended.killed).to.equal(true);
    expect(ended.leftovers.map(({ name }) => name)).to.include.members(['sleep']);
    expect(ended.survivors).to.deep.equal([]);
    await allGone(mark);
  });

  it('kills what a program leaves behind when it ends, and names it', async () => {
    const { mark, env } = newMark();
    const ended = await finish(
      await start('setsid sleep 66 </dev/null & sleep 67 & sleep 0.2; exit 0', { env }),
    );
    expect(ended).to.include({ exit: 0, killed: false, leftoverCount: 2 });
    expect(ended.leftovers.map(({ name }) => name)).to.deep.equal(['sleep', 'sleep']);
    await allGone(mark);
  });

  it('ends a fork bomb whose processes each have a session of their own', async () => {
    const { mark, env } = newMark();
    const bomb = 'echo up; while :; do setsid sh -c "sleep 0.05; setsid sleep 68 & setsid sleep 69" & done';
    const launched = await start(bomb, { env, limits: { processes: 100 } });
    const ended = await finish(launched);
    expect(ended).to.include({ killed: true, stopped: 'processes' });
    expect(ended.leftoverCount).to.be.above(0);
    expect(ended.leftovers.length).to.be.at.most(64);
    expect(ended.survivors).to.deep.equal([]);
    await allGone(mark);
  });

  it('stops a program at its time limit', async () => {
    const ended = await finish(await start('sleep 70', { limits: { millis: 50 } }));
    expect(ended).to.include({ killed: true, stopped: 'time' });
  });

  it('stops a tree at its memory limit, though no single process of it is above', async () => {
    const hungry = `${process.execPath} -e "const b=Buffer.alloc(90<<20,1);setTimeout(()=>b,60000)"`;
    const limits = { memoryBytes: 200 * 2 ** 20 };
    const ended = await finish(await start(`${hungry} & ${hungry} & ${hungry} & wait`, { limits }));
    expect(ended).to.include({ killed: true, stopped: 'memory' });
    expect(ended.maxMemory).to.be.above(limits.memoryBytes);
  });

  it('reaps orphans while the program goes on', async () => {
    const script = '(sh -c "exit 0" &); sleep 0.1; ps -o stat= --ppid $PPID; echo end; read line';
    const launched = await start(script);
    const ended = await finish(launched, (line) => line === 'end' && launched.stdin.write('\n'));
    expect(ended.exit).to.equal(0);
    expect(ended.stdout).not.to.contain('Z');
  });

  it('kills the tree when its controller is killed', async () => {
    const { mark, env } = newMark();
    const code = `
      import { launchLocally } from ${JSON.stringify(path.resolve('harness/subjects/guard.ts'))};
      const launched = await launchLocally({ argv: ['/bin/sh', '-c', 'setsid sleep 71 & echo up; sleep 72'] });
      launched.stderr.resume();
      launched.stdout.on('data', () => process.kill(-process.pid, 'SIGKILL'));`;
    const controller = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', code], {
      env,
      detached: true,
      stdio: 'ignore',
    });
    const signal = await new Promise((resolve) => controller.on('exit', (_, name) => resolve(name)));
    expect(signal).to.equal('SIGKILL');
    await allGone(mark);
  });

  it('takes the program along when it is itself killed or asked to stop', async () => {
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const { mark, env } = newMark();
      const launched = await start('echo $PPID; exec sleep 73', { env });
      const ended = finish(launched, (line) => process.kill(Number(line), signal));
      if (signal === 'SIGTERM') expect(await ended).to.include({ killed: true });
      else
        expect(await ended.catch((error: unknown) => String(error))).to.contain(
          'ended without a report (SIGKILL)',
        );
      await allGone(mark);
    }
  });

  it('leaks no descriptor to the program, and none in the controller', async () => {
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 20; i++) {
      const ended = await finish(await start('ls /proc/self/fd | wc -l'));
      // stdin, stdout, stderr and the folder that ls reads
      expect(ended.stdout.trim()).to.equal('4');
    }
    expect(readdirSync('/proc/self/fd').length).to.be.at.most(before + 3);
  });

  it('runs several trees side by side', async () => {
    const ends = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const launched = await start(`echo ${i}; sleep 74`);
        return await finish(launched, () => launched.kill());
      }),
    );
    expect(ends.map(({ stdout, killed }) => [stdout, killed])).to.deep.equal(
      Array.from({ length: 20 }, (_, i) => [`${i}\n`, true]),
    );
  });

  it('says why a program could not be started', async () => {
    const launched = await launchLocally({ argv: ['/does/not/exist'] });
    const error: unknown = await finish(launched).catch((e: unknown) => e);
    expect(String(error)).to.contain('cannot run /does/not/exist: execvp /does/not/exist: No such file');
  });

  it('says that the guard is not built, or cannot be started', async () => {
    const missing: unknown = await launch('/does/not/exist', { argv: ['true'] }).catch((e: unknown) => e);
    expect(missing).to.include({ name: 'UnavailableError', remedy: 'build it: npm run build' });
    const folder = mkdtempSync(path.join(tmpdir(), 'plugpull-guard-'));
    const error: unknown = await launch(folder, { argv: ['true'] }).catch((e: unknown) => e);
    rmSync(folder, { recursive: true });
    expect(String(error)).to.contain('EACCES');
  });

  it('refuses wrong use with its usage and exit status 64', async () => {
    const wrong: [string[], string][] = [
      [[], '--control is missing'],
      [['--control', '3'], 'no program after --'],
      [['--control', '1', '--', 'true'], 'must be a descriptor above 2'],
      [['--control', '3', '--time-max', '5s', '--', 'true'], '--time-max: not a number: 5s'],
      [['--control', '3', '--memory-max'], '--memory-max needs a number'],
      [['--nonsense', '--', 'true'], 'unknown option --nonsense'],
    ];
    for (const [args, message] of wrong) {
      const child = spawn(guardPath(), args);
      let stderr = '';
      child.stderr.on('data', (data) => (stderr += String(data)));
      const code = await new Promise((resolve) => child.on('close', resolve));
      expect(stderr).to.contain(message).and.to.contain('usage: plugpull-guard');
      expect(code).to.equal(64);
    }
  });
});
