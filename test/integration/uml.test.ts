/** Rig `disk` without root: inside user-mode Linux. Where the tests run as root, plugpull is run as an ordinary user. */
import { expect } from 'chai';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { userModeLinux } from '../../harness/rigs/uml.js';
import { executable, processesNaming, root, temporaryFolder, until, type CliResult } from '../support/cli.js';
import { answerOf } from '../support/store-script.js';

const nobody = 65534;
/** Commits a line in a file; its check can do what it is told to. */
const store = `#!/bin/sh
set -eu
file=$PLUGPULL_DIR/store
commit() { echo "$1" >"$file.new"; sync "$file.new"; mv "$file.new" "$file"; sync "$PLUGPULL_DIR"; }
case $1 in
  setup) [ "$(id -u)" = 0 ]; commit 0; touch ./witness ;;
  run) k=0; while :; do k=$((k + 1)); commit $k; echo "plugpull commit $k"; read -r answer || exit 0; done ;;
  check) [ -z "\${2-}" ] || { echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger; }
    echo "plugpull state $(cat "$file")" ;;
esac
`;

interface Answer {
  verdict: string;
  counts: Record<string, number>;
  explored: { states: number };
  findings: { verdict: string; replay: string; folder: string; bundle: string | null; expected: boolean }[];
}

/** How to run a program as an ordinary user who can read this checkout; null: we cannot become one. */
function ordinary(): string[] | null {
  if (process.getuid?.() !== 0) return [];
  const become = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
  const read = [process.execPath, '-e', 'fs.readFileSync(process.argv[1])', executable];
  const tried = spawnSync('setpriv', [...become, ...read], { stdio: 'ignore' });
  return tried.status === 0 ? ['setpriv', ...become] : null;
}

describe('power cuts on real file systems inside user-mode Linux', function () {
  this.timeout(180_000);
  let folder: string;
  let remove: () => void;
  const as = ordinary();
  before(function () {
    if (userModeLinux() === null) this.skip();
  });
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
    if (process.getuid?.() === 0) chownSync(folder, nobody, nobody);
  });
  afterEach(() => remove());

  const start = (args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess => {
    // Where root cannot become somebody else, it asks for it.
    const [program = '', ...rest] = [
      ...(as ?? []),
      process.execPath,
      executable,
      ...args,
      ...(as === null ? ['--uml'] : []),
    ];
    return spawn(program, rest, {
      cwd: folder,
      env: {
        ...process.env,
        NO_COLOR: '1',
        GITHUB_ACTIONS: '',
        PATH: '/usr/bin:/bin',
        TMPDIR: folder,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  const plugpull = async (args: string[], env: NodeJS.ProcessEnv = {}): Promise<CliResult> => {
    const child = start(args, env);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
    const timer = setTimeout(() => child.kill('SIGKILL'), 150_000);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status, signal) => {
        clearTimeout(timer);
        const [stdout, stderr] = [out, err].map((chunks) => Buffer.concat(chunks).toString('utf8'));
        resolve({ status, signal, stdout: stdout ?? '', stderr: stderr ?? '' });
      });
    });
  };
  const cut = ['run', '--fault', 'cut', '--rig', 'disk', '--seed', '7', '--quiet', '--json', '--out', 'out'];
  const bank = ['--workload', 'bank', '--commits', '6'];
  const program = (mode = ''): string[] => {
    const file = path.join(folder, 'store.sh');
    writeFileSync(file, store);
    chmodSync(file, 0o755);
    return ['setup', 'run', 'check'].flatMap((name) => [
      `--${name}`,
      `./store.sh ${name} ${name === 'check' ? mode : ''}`,
    ]);
  };
  const answer = (result: CliResult): Answer => answerOf(result) as Answer;
  /** Machines of one controller; their folder bears its number. */
  const machines = (pid: number | undefined): number[] => processesNaming(`plugpull-scratch-${pid}-`);

  it('a planted bug is caught, and its state can be seen again', async () => {
    const result = await plugpull([
      ...cut,
      ...bank,
      '--planted',
      'redo.log-not-synced',
      '--fs',
      'ext4',
      '--jobs',
      '1',
    ]);
    const { findings } = answer(result);
    expect(result.status, result.stderr).to.equal(0); // caught, as it must be
    expect(findings[0]?.verdict).to.be.oneOf(['lost', 'torn', 'unrecoverable']);
    const events = readFileSync(path.join(folder, 'out', 'events.jsonl'), 'utf8');
    expect(events).to.match(/"kernel of rig disk":"user-mode Linux \d/);
    const bundle = path.join(folder, 'out', 'findings', '0001', 'bundle.plugpull');
    const again = await plugpull(['replay', bundle, '--json']);
    expect(JSON.parse(again.stdout), again.stderr).to.include({ same: true });
    expect(again.status).to.equal(1);
  });

  it('a correct backend holds on btrfs, each machine with a share of its states', async () => {
    const result = await plugpull([
      ...cut,
      ...bank,
      '--backend',
      'redo',
      '--fs',
      'btrfs',
      '--states',
      '24',
      '--jobs',
      '2',
    ]);
    const { counts, explored } = answer(result);
    expect(counts).to.include({ lost: 0, torn: 0, broken: 0, unrecoverable: 0, 'harness-broken': 0 });
    expect(explored.states).to.be.within(12, 30);
    expect(result.status, result.stderr).to.equal(0);
  });

  it("a program works there as root, and what it writes elsewhere does not touch the user's files", async () => {
    const result = await plugpull([
      ...cut,
      ...program(),
      '--fs',
      'xfs',
      '--states',
      '6',
      '--commits',
      '3',
      '--jobs',
      '1',
    ]);
    expect(answer(result).verdict, result.stderr).to.equal('held');
    expect(existsSync(path.join(folder, 'witness'))).to.equal(false);
    expect(readdirSync(folder).sort()).to.deep.equal(['out', 'store.sh']);
  });

  it('a state that crashes the kernel is a finding, with its last words and a bundle', async () => {
    const result = await plugpull([
      ...[...cut, ...program('crash'), '--fs', 'ext4', '--states', '6', '--commits', '2', '--jobs', '1'],
    ]);
    const events = readFileSync(path.join(folder, 'out', 'events.jsonl'), 'utf8');
    expect(result.status, result.stderr + events).to.equal(1);
    expect(answer(result).findings[0]?.verdict).to.equal('unrecoverable');
    const kept = path.join(folder, 'out', 'findings', '0001');
    expect(readFileSync(path.join(kept, 'kernel.log'), 'utf8')).to.include('Kernel panic');
    const again = await plugpull(['replay', kept, '--json']);
    expect(JSON.parse(again.stdout), again.stderr).to.include({ same: true });
  });

  it('nothing outlives a controller that is killed, even beside what another user left', async () => {
    // Its owner's number is of no process; where tests run as root, an ordinary user cannot remove it.
    const left = `/dev/shm/plugpull-scratch-999999999-1-${process.pid}`;
    mkdirSync(path.join(left, 'in'), { recursive: true, mode: 0o700 });
    const child = start([...cut, ...bank, '--backend', 'redo', '--fs', 'ext4', '--for', '120s']);
    const ended = new Promise((resolve) => child.once('close', resolve));
    const log = path.join(folder, 'out', 'events.jsonl');
    await until(
      'it has begun',
      () => existsSync(log) && readFileSync(log, 'utf8').includes('target-started'),
      60_000,
    );
    await until('a machine works', () => machines(child.pid).length > 0);
    child.kill('SIGKILL');
    await ended;
    await until(
      'machines end',
      () => machines(child.pid).length === 0 && processesNaming(folder).length === 0,
    );
    rmSync(left, { recursive: true, force: true });
  });

  it('the first Ctrl-C ends it cleanly and leaves a run that can go on', async () => {
    const child = start([
      ...cut,
      ...bank,
      '--backend',
      'redo',
      '--fs',
      'ext4',
      '--for',
      '120s',
      '--jobs',
      '1',
    ]);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const log = path.join(folder, 'out', 'events.jsonl');
    await until(
      'it has begun',
      () => existsSync(log) && readFileSync(log, 'utf8').includes('target-started'),
      60_000,
    );
    child.kill('SIGINT');
    expect(await ended).to.equal(130);
    expect(readFileSync(log, 'utf8')).to.include('"interrupted":true');
    expect(machines(child.pid)).to.be.empty;
    expect(readdirSync('/dev/shm').filter((name) => name.includes(`-${child.pid}-`))).to.be.empty;
  });

  it('where it is missing, a run says what is lacking; beside other engines only its part is left out', async () => {
    const missing = { PLUGPULL_UML: path.join(root, 'no-such-kernel') };
    const alone = await plugpull([...cut, ...bank, '--backend', 'redo', '--fs', 'ext4', '--uml'], missing);
    expect(alone.status, alone.stderr).to.equal(69);
    expect(alone.stderr).to.include('no-such-kernel').and.to.include('apt-get install');
    const both = await plugpull(
      [
        'run',
        '--fault',
        'kill,cut',
        '--rig',
        'folder,disk',
        '--uml',
        ...bank,
        '--backend',
        'redo',
        '--trials',
        '8',
        '--json',
        '--out',
        'both',
      ],
      missing,
    );
    // What was asked for by name and not tried never ends well.
    expect(both.status, both.stderr).to.equal(69);
    expect(both.stderr + both.stdout).to.include('no-such-kernel');
  });
});
