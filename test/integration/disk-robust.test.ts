/** Rig disk where something is not as it should be: odd paths, wrong options, parts that die, runs that go on. */
import { expect } from 'chai';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { RunEvent } from '../../harness/core/events.js';
import { whyNoDiskHere } from '../../harness/rigs/disk.js';
import { plugpull, processesNaming, temporaryFolder, until, type CliResult } from '../support/cli.js';
import { devicesOf } from '../support/held-devices.js';
import { answerOf, storeScript } from '../support/store-script.js';

/** A store of one file; with `touchy`, each check leaves a mark beside it. */
const store = `#!/bin/sh
set -eu
cd "$PLUGPULL_DIR"
put() { echo "$1" >new; sync new; mv new data; sync .; }
case $1 in
  setup) put 0 ;;
  run)
    k=0
    while :; do k=$((k + 1)); put $k; echo "plugpull commit $k"; read -r answer || exit 0; done ;;
  check)
    if [ "$2" = touchy ]; then echo x >>checked; fi
    echo "plugpull state $(cat data)" ;;
esac
`;

interface Answer {
  verdict: string;
  counts: Record<string, number>;
  findings: { verdict: string; explanation: string; bundle: string }[];
  notes: { text: string }[];
}

const answer = (result: CliResult): Answer => answerOf(result) as Answer;

describe('rig disk where something is not as it should be', function () {
  this.timeout(180_000);
  let folder: string;
  let remove: () => void;
  before(function () {
    if (whyNoDiskHere() !== null) this.skip();
  });
  beforeEach(() => ({ folder, remove } = temporaryFolder()));
  afterEach(() => remove());

  const common = ['run', '--fault', 'cut', '--rig', 'disk', '--seed', '7', '--quiet'];
  const cut = (...args: string[]): ReturnType<typeof plugpull> =>
    plugpull([...common, '--no-uml', '--json', ...args], folder);
  const redo = ['--backend', 'redo', '--workload', 'bank'];
  const events = (): RunEvent[] => {
    const file = path.join(folder, 'out', 'events.jsonl');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as RunEvent);
  };
  /** Processes of the crash disk that do this. */
  const parts = (command: string): { pid: number; args: string[] }[] =>
    processesNaming(folder)
      .map((pid) => ({ pid, args: argumentsOf(pid) }))
      .filter(({ args }) => args[1] === command);
  const nothingLeft = async (): Promise<void> => {
    await until('processes end', () => processesNaming(folder).length === 0);
    await until('devices are given back', () => devicesOf(folder).length === 0);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).to.not.include(folder);
  };

  it('works in a folder whose name has spaces and backslashes', async () => {
    const odd = path.join(folder, 'a b \\ c');
    mkdirSync(odd);
    const args = ['--no-uml', '--json', ...redo, '--fs', 'ext4', '--states', '24', '--commits', '4'];
    const result = await plugpull([...common, ...args], odd);
    expect(result.status, result.stderr).to.equal(0);
    expect(answer(result).counts).to.include({ 'harness-broken': 0 });
    await nothingLeft();
  });

  for (const [fs, named] of [
    ['ext4:noatime+data=upside-down', 'data=upside-down'],
    ['ext4::-O no_such_feature', 'no_such_feature'],
    ['xfs:nonsense', 'nonsense'],
  ] as const) {
    it(`refuses ${fs}, and names what is wrong with it`, async () => {
      const result = await cut(...redo, '--fs', fs, '--states', '10');
      expect(result.status, result.stderr).to.equal(64);
      expect(result.stderr).to.include(named).and.not.include('noatime,');
      await nothingLeft();
    });
  }

  it('a part that is killed alone costs no verdict that was there, and leaves nothing', async () => {
    const run = cut(
      ...redo,
      '--fs',
      'ext4',
      '--for',
      '25s',
      '--commits',
      '60',
      '--nested',
      '0',
      '--out',
      'out',
    );
    await until('states are shown', () => parts('explore').length > 0);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    process.kill(parts('explore')[0]?.pid ?? 0, 'SIGKILL');
    const result = await run;
    const { counts, notes } = answer(result);
    expect(counts['harness-broken'], result.stdout).to.equal(1);
    expect(counts.held).to.be.greaterThan(0);
    expect(notes.map(({ text }) => text).join()).to.include('explore ended (SIGKILL)');
    expect(result.status).to.equal(70);
    await nothingLeft();
  });

  for (const part of ['record', 'hand']) {
    it(`a run whose "${part}" is killed while it records says so, and leaves nothing`, async () => {
      const run = cut(...redo, '--fs', 'ext4', '--for', '60s', '--commits', '20000');
      // The rig's own trial, which comes first, writes less than that.
      const recorded = (): boolean => parts('record').some(({ args }) => sizeAfter(args, '--trace') > 16e6);
      await until('it records', recorded, 60_000);
      process.kill(parts(part)[0]?.pid ?? 0, 'SIGKILL');
      const { status, stdout, stderr } = await run;
      expect(stdout + stderr).to.include(`${part} ended (SIGKILL)`);
      expect(status).to.equal(70);
      await nothingLeft();
    });
  }

  it('an interrupted run goes on where it was, and counts no state twice', async () => {
    const args = ['--backend', 'redo,journal', '--workload', 'bank', '--fs', 'ext4', '--commits', '6'];
    const run = cut(...args, '--states', '60', '--for', '120s', '--nested', '0', '--out', 'out');
    const ended = (): RunEvent[] => events().filter(({ type }) => type === 'target-ended');
    await until('a target has ended', () => ended().length === 1, 60_000);
    run.child.kill('SIGTERM');
    expect((await run).status).to.equal(130);
    expect(ended()).to.have.length(1);
    const again = await plugpull(['run', '--resume', 'out', '--json', '--quiet'], folder);
    expect(again.status, again.stderr).to.equal(0);
    expect(ended()).to.have.length(2);
    const states = events().filter((event) => event.type === 'states');
    const sums = new Map<string, number>();
    for (const one of states) sums.set(one.target, (sums.get(one.target) ?? 0) + one.states);
    expect(states.filter(({ target }) => target === 'redo/bank')).to.have.length(1);
    expect(Math.max(...sums.values())).to.be.lessThan(80);
    await nothingLeft();
  });

  it('a recovery that changes files each time is caught where bytes are promised, and shown again', async () => {
    const args = ['--fs', 'ext4', '--states', '20', '--commits', '4', '--nested', '0'];
    const free = await cut(...storeScript(folder, store, 'touchy'), ...args);
    expect(answer(free).verdict, free.stdout).to.equal('held');
    const bound = await cut(
      ...storeScript(folder, store, 'touchy'),
      ...args,
      '--recover-twice',
      'bytes',
      '--out',
      'out',
    );
    const [finding] = answer(bound).findings;
    expect(finding?.explanation, bound.stdout).to.include('not idempotent').and.include('checked');
    const bundle = path.join('out', finding?.bundle ?? '');
    const again = await plugpull(['replay', bundle, '--json'], folder);
    expect(again.status, again.stderr).to.equal(1);
    expect(JSON.parse(again.stdout)).to.include({ verdict: 'broken', same: true });
    expect(readdirSync(os.tmpdir()).filter((name) => name.startsWith('plugpull-replay-'))).to.deep.equal([]);
    const quiet = await cut(
      ...storeScript(folder, store, 'touchy'),
      ...args,
      '--recover-twice',
      'bytes',
      '--ignore',
      'checked',
    );
    expect(answer(quiet).verdict, quiet.stdout).to.equal('held');
  });
});

function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it has ended
  }
}

/** Of the file that a flag names; 0 where there is none yet. */
function sizeAfter(args: readonly string[], flag: string): number {
  const file = args[args.indexOf(flag) + 1] ?? '';
  return existsSync(file) ? statSync(file).size : 0;
}
