import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { executable, temporaryFolder } from '../support/cli.js';

interface Result {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs shell commands where `small` is a file system of 1 MiB, which disappears with them. */
function onSmallDisk(folder: string, commands: string): Result {
  const script = `set -e; mkdir small; mount -t tmpfs -o size=1m none small; ${commands}`;
  const { status, stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', GITHUB_ACTIONS: '', PLUGPULL: executable },
    timeout: 100_000,
  });
  return { status, stdout, stderr };
}

const fill = (kib: number): string => `head -c ${kib}k /dev/zero > small/filler;`;
const canMount = (): boolean =>
  process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;

describe('a disk that is full', () => {
  let folder: string;
  let remove: () => void;
  before(function () {
    if (!canMount()) this.skip(); // mounting needs root
  });
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(() => remove());

  const torture = '"$PLUGPULL" run --backend redo --workload bank --fault kill --sweep none --seed 3';

  it('under the heaps measures nothing, and accuses nobody', () => {
    const { status, stdout } = onSmallDisk(folder, `${torture} --trials 30 --dir small --out out`);
    expect(stdout).to.match(/the\s+disk\s+is\s+full/);
    expect(stdout).to.match(/Not measured|Not enough was measured/);
    expect(status).to.equal(2);
  });

  it('from the beginning is named, whatever failed of it first', () => {
    const { status, stdout } = onSmallDisk(
      folder,
      `${fill(900)} ${torture} --trials 6 --dir small --out out`,
    );
    expect(stdout).to.match(/nothing\s+was\s+measured\s+\(the\s+disk\s+is\s+full:/);
    expect(status).to.equal(2);
  });

  it('under the run directory is said at once', () => {
    const { status, stderr } = onSmallDisk(folder, `${fill(1024)} ${torture} --trials 30 --out small/out`);
    expect(stderr).to.match(/small\/out[^\n]*no space left[^\n]*\n +make room/);
    expect(stderr).not.to.match(/\n {4}at /);
    expect(status).to.equal(69);
  });

  it('while events are written ends the run with exit status 69, and it goes on when there is room', () => {
    const first = onSmallDisk(
      folder,
      `${fill(1012)} status=0; ${torture} --trials 120 --out small/out || status=$?; test $status = 69;
       rm small/filler; "$PLUGPULL" report small/out; "$PLUGPULL" run --resume small/out`,
    );
    expect(first.stderr).to.match(/events\.jsonl: no space left/);
    expect(first.stdout)
      .to.match(/Unfinished: /)
      .and.match(/Held against kills only: \d+ crashes, 0 violations/);
    expect(first.status, first.stderr).to.equal(0);
  });

  it('while evidence is kept is said, and a violation that was found stays one', () => {
    const result = onSmallDisk(
      folder,
      `${fill(980)} mkdir data; "$PLUGPULL" run --dir data --name program --setup 'head -c 65536 /dev/zero > $PLUGPULL_DIR/data' --check false \
       --run 'i=0; while echo plugpull commit $((i+=1)); do read x; done' --trials 30 --jobs 1 --out small/out`,
    );
    expect(result.stderr).to.match(/no space left/);
    expect(result.status).to.equal(1);
  });
});
