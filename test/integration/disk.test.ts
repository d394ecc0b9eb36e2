/** Power cuts on real file systems, from the command line to the finding. Needs root, FUSE and loop devices. */
import { expect } from 'chai';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { execaSync } from 'execa';
import path from 'node:path';
import { whyNoDiskHere } from '../../harness/rigs/disk.js';
import {
  executable,
  plugpull,
  processesNaming,
  temporaryFolder,
  until,
  type CliResult,
} from '../support/cli.js';
import { devicesOf } from '../support/held-devices.js';
import { answerOf, storeScript } from '../support/store-script.js';

/** A store of one file, its commits 64 pages each, that can leave out what makes it right. */
const store = `#!/bin/sh
# store.sh setup|run|check [nosync]
set -eu
file=$PLUGPULL_DIR/store
commit() {
  yes "$1" | head -c 20000 >"$file.new"
  [ "\${sync-}" = nosync ] || sync "$file.new"
  mv "$file.new" "$file"
  [ "\${sync-}" = nosync ] || sync "$PLUGPULL_DIR"
}
sync=\${2-}
case $1 in
  setup) sync= commit 0; sync "$PLUGPULL_DIR" ;;
  run)
    k=0
    while :; do k=$((k + 1)); commit $k; echo "plugpull commit $k"; read -r answer || exit 0; done ;;
  check)
    read -r k <"$file" || { echo 'the store is empty' >&2; exit 1; }
    yes "$k" | head -c 20000 | cmp -s - "$file" || { echo 'the store is torn' >&2; exit 1; }
    echo "read commit $k" >&2
    echo "plugpull state $k" ;;
esac
`;

interface Answer {
  verdict: string;
  counts: Record<string, number>;
  explored: { states: number };
  findings: { verdict: string; fs: string; explanation: string; replay: string; bundle: string }[];
}

const answer = (result: CliResult): Answer => answerOf(result) as Answer;

const zrams = (folder: string): string[] => devicesOf(folder).filter((name) => name.startsWith('zram'));

describe('power cuts on real file systems', function () {
  this.timeout(180_000);
  let folder: string;
  let remove: () => void;
  before(function () {
    if (whyNoDiskHere() !== null) this.skip();
  });
  beforeEach(() => ({ folder, remove } = temporaryFolder()));
  afterEach(() => remove());

  const cut = (...args: string[]): ReturnType<typeof plugpull> =>
    plugpull(['run', '--fault', 'cut', '--rig', 'disk', '--seed', '7', '--quiet', '--json', ...args], folder);
  const script = (...flags: string[]): ReturnType<typeof plugpull> => {
    const mode = flags.shift() ?? '';
    return cut(...storeScript(folder, store, mode), ...flags);
  };
  const nothingLeft = async (): Promise<void> => {
    await until('processes end', () => processesNaming(folder).length === 0);
    await until('devices are given back', () => devicesOf(folder).length === 0);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).to.not.include(folder);
  };

  for (const fs of ['ext4', 'xfs', 'btrfs']) {
    it(`a correct backend holds on ${fs}`, async () => {
      const result = await cut('--backend', 'redo', '--workload', 'bank', '--fs', fs, '--states', '60');
      const { counts, explored } = answer(result);
      expect(counts).to.include({ lost: 0, torn: 0, broken: 0, unrecoverable: 0, 'harness-broken': 0 });
      expect(explored.states).to.be.greaterThan(30);
      expect(result.status).to.equal(0);
      await nothingLeft();
    });
  }

  it('the negative control is caught, and the lost write is named by file', async () => {
    const result = await cut('--backend', 'plain', '--workload', 'bank', '--fs', 'ext4', '--states', '300');
    const [finding] = answer(result).findings;
    expect(finding?.explanation).to.include('heap.db');
    const events = readFileSync(
      path.join(folder, '.plugpull', 'runs', runName(result), 'events.jsonl'),
      'utf8',
    );
    expect(events).to.include('"fate"');
    await nothingLeft();
  });

  it('a disk that lies about flushes is caught', async () => {
    const result = await cut(
      ...[
        '--backend',
        'redo',
        '--workload',
        'bank',
        '--fs',
        'ext4',
        '--disk-fault',
        'lying-flush',
        '--commits',
        '5',
      ],
    );
    expect(
      answer(result).findings.map(({ verdict }) => verdict),
      result.stdout + result.stderr,
    ).to.not.be.empty;
    expect(result.status).to.equal(0); // caught, as a control must be
    await nothingLeft();
  });

  it('a program that flushes holds; one that acknowledges without a flush is caught', async () => {
    const right = await script('sync', '--fs', 'ext4', '--states', '40', '--commits', '8');
    expect(answer(right).verdict, right.stderr).to.equal('held');
    const wrong = await script(
      'nosync',
      '--fs',
      'ext4',
      '--states',
      '40',
      '--commits',
      '8',
      '--out',
      'wrong',
    );
    expect(wrong.status).to.equal(1);
    expect(answer(wrong).counts.lost).to.be.greaterThan(0);
    await nothingLeft();
  });

  it('a finding can be seen again from its files', async () => {
    const wrong = await script(
      'nosync',
      '--fs',
      'ext4',
      '--states',
      '20',
      '--commits',
      '6',
      '--out',
      'wrong',
    );
    const [finding] = answer(wrong).findings;
    const [, ...replay] = (finding?.replay ?? '').split(' ');
    const again = await plugpull([...replay, '--json'], folder);
    expect(again.status, again.stderr).to.equal(1);
    expect(JSON.parse(again.stdout)).to.include({ verdict: finding?.verdict, same: true });
    const printed = path.join(folder, 'wrong', path.dirname(finding?.bundle ?? ''), 'check.log');
    expect(readFileSync(printed, 'utf8')).to.match(/^(read commit \d+|the store is (empty|torn))$/m);
  });

  it('a bundle shows its crash state on a disk again, by itself', async () => {
    const run = await cut(
      '--backend',
      'plain',
      '--workload',
      'bank',
      '--fs',
      'xfs',
      '--states',
      '200',
      '--out',
      'run',
    );
    const [finding] = answer(run).findings;
    renameSync(path.join(folder, 'run', finding?.bundle ?? ''), path.join(folder, 'elsewhere.plugpull'));
    rmSync(path.join(folder, 'run'), { recursive: true });
    const again = await plugpull(['replay', 'elsewhere.plugpull', '--json'], folder);
    expect(again.status, again.stderr).to.equal(1);
    expect(JSON.parse(again.stdout)).to.include({ verdict: finding?.verdict, same: true });
    await nothingLeft();
  });

  it('a recording whose memory could not be locked is told of', () => {
    const args = ['run', '--backend', 'redo', '--workload', 'bank', '--fault', 'cut', '--rig', 'disk'];
    const flags = ['--fs', 'ext4', '--states', '5', '--commits', '2', '--seed', '7', '--nested', '0'];
    const poor = ['--memlock=65536', 'setpriv', '--bounding-set=-ipc_lock', process.execPath, executable];
    const run = execaSync('prlimit', [...poor, ...args, ...flags], { cwd: folder });
    expect(run.stdout + run.stderr).to.include("the recording disk's memory could not be locked (errno 12)");
  });

  it('a signal to stop ends it cleanly', async () => {
    const run = cut('--backend', 'redo', '--workload', 'bank', '--fs', 'ext4', '--for', '60s');
    await until('states are shown', () => zrams(folder).length > 0);
    run.child.kill('SIGTERM'); // a terminal sends Ctrl-C to all of them
    expect((await run).status).to.equal(130);
    await nothingLeft();
  });

  it('SIGKILL of its first process leaves nothing', async () => {
    const run = cut('--backend', 'redo', '--workload', 'bank', '--fs', 'btrfs', '--for', '60s');
    await until('states are shown', () => devicesOf(folder).length > 0);
    run.child.kill('SIGKILL');
    await run;
    await nothingLeft();
  });

  it('what is left where all were killed, those that clean up too, is given back by the next run', async () => {
    const run = cut('--backend', 'redo', '--workload', 'bank', '--fs', 'ext4', '--for', '60s');
    await until('states are shown', () => zrams(folder).length > 0);
    // Those that give back devices first: they have the highest numbers.
    for (const pid of processesNaming(folder).sort((a, b) => b - a)) {
      unlessEnded(() => process.kill(pid, 'SIGKILL'));
    }
    await run;
    await until('processes end', () => processesNaming(folder).length === 0);
    await cut('--backend', 'redo', '--workload', 'bank', '--fs', 'ext4', '--states', '5', '--out', 'next');
    await nothingLeft();
  });

  it('SIGKILL of all its processes at once leaves nothing', async () => {
    const run = cut('--backend', 'redo', '--workload', 'bank', '--fs', 'ext4', '--for', '60s');
    await until('states are shown', () => zrams(folder).length > 0);
    for (const pid of processesNaming(folder)) {
      // Those whose only work is to give back a device have nothing of the run in its name.
      unlessEnded(() => {
        if (readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('plugpull-un')) return;
        process.kill(pid, 'SIGKILL');
      });
    }
    await run;
    await nothingLeft();
  });
});

function runName(result: CliResult): string {
  const replay = answer(result).findings[0]?.replay ?? '';
  return path.basename(path.dirname(path.dirname(replay)));
}

/** A process that has ended meanwhile needs no killing. */
function unlessEnded(kill: () => void): void {
  try {
    kill();
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
