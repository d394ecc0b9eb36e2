/** Disks that fail: correct targets stop and hold, wrong ones go on and are caught. Needs root, FUSE and loop devices. */
import { expect } from 'chai';
import { whyNoDiskHere } from '../../harness/rigs/disk.js';
import { plugpull, processesNaming, temporaryFolder, until, type CliResult } from '../support/cli.js';
import { answerOf, storeScript } from '../support/store-script.js';

/** A store of one file that holds the numbers of all its commits, each padded; it can be careless of errors or of reads. */
const store = `#!/bin/sh
# store.sh setup|run|check careful|errors|reads
set -eu
file=$PLUGPULL_DIR/store
how=$2
line() { printf '%04000d\\n' "$1"; }
try() { "$@" || [ "$how" = errors ]; }
commit() {
  # Past the page cache, so that the disk is asked.
  if [ "$1" -gt 0 ]; then
    if ! dd if="$file" of="$file.old" bs=65536 iflag=direct 2>/dev/null; then
      [ "$how" = reads ] || exit 1
      : >"$file.old"
    fi
  else
    : >"$file.old"
  fi
  try sh -c 'cat "$1.old" && printf "%04000d\\n" "$2"' - "$file" "$1" >"$file.new"
  try sync "$file.new"
  try mv "$file.new" "$file"
  try sync "$PLUGPULL_DIR"
}
case $1 in
  setup) commit 0 ;;
  run)
    k=0
    while :; do k=$((k + 1)); commit $k; echo "plugpull commit $k"; read -r answer || exit 0; done ;;
  check)
    k=$(tail -n 1 "$file" | sed 's/^0*\\(.\\)/\\1/')
    [ -n "$k" ] || { echo 'the store is empty' >&2; exit 1; }
    i=0
    while [ $i -le $k ]; do line $i; i=$((i + 1)); done | cmp -s - "$file" || { echo 'the store is torn' >&2; exit 1; }
    echo "plugpull state $k" ;;
esac
`;

interface Answer {
  verdict: string;
  counts: Record<string, number>;
  notes: { text: string }[];
  targets: { id: string; counts: Record<string, number> }[];
  findings: { verdict: string; target: string; explanation: string }[];
}

const answer = (result: CliResult): Answer => answerOf(result) as Answer;

describe('power cuts on disks that fail', function () {
  this.timeout(180_000);
  let folder: string;
  let remove: () => void;
  before(function () {
    if (whyNoDiskHere() !== null) this.skip();
  });
  beforeEach(() => ({ folder, remove } = temporaryFolder()));
  afterEach(() => remove());

  const cut = (...args: string[]): ReturnType<typeof plugpull> =>
    plugpull(
      ['run', '--fault', 'cut', '--rig', 'disk', '--no-uml', '--seed', '7', '--quiet', '--json', ...args],
      folder,
    );
  const script = (how: string, diskFault: string): ReturnType<typeof plugpull> => {
    return cut(
      ...storeScript(folder, store, how),
      ...['--fs', 'ext4', '--disk-fault', diskFault, '--states', '24', '--commits', '6'],
    );
  };
  const nothingLeft = (): Promise<void> =>
    until('processes end', () => processesNaming(folder).length === 0).then(() => undefined);

  for (const diskFault of ['eio-flush', 'eio-write', 'eio-read', 'full', 'slow']) {
    it(`a correct backend holds under ${diskFault}`, async () => {
      const result = await cut(
        ...['--backend', 'redo', '--workload', 'bank', '--fs', 'ext4', '--disk-fault', diskFault],
        ...['--states', '32'],
      );
      const { counts, notes } = answer(result);
      expect(counts, result.stdout).to.include({
        lost: 0,
        torn: 0,
        broken: 0,
        unrecoverable: 0,
        'harness-broken': 0,
      });
      expect(counts.held).to.be.greaterThan(10);
      expect(result.status, result.stdout).to.equal(0);
      if (diskFault !== 'slow')
        expect(notes.map(({ text }) => text).join()).to.match(/the disk failed in [1-9]/);
      await nothingLeft();
    });
  }

  for (const [bug, diskFault, fs] of [
    ['redo.fsync-retried', 'eio-write', 'ext4'],
    // Only where an overwritten block needs a new one does a full disk cut a write short.
    ['redo.short-write-ignored', 'full', 'btrfs'],
  ] as const) {
    it(`${bug} is caught under ${diskFault} on ${fs}`, async () => {
      const result = await cut(
        ...['--planted', bug, '--fs', fs, '--disk-fault', diskFault, '--states', '480', '--seed', '8'],
      );
      const { findings } = answer(result);
      expect(
        findings.map(({ target }) => target),
        result.stdout,
      ).to.deep.equal([`redo+bug:${bug}/bank+disk:${diskFault}`]);
      expect(result.status).to.equal(0); // caught, as a planted bug must be
    });
  }

  it('planted bugs that need a power cut are caught on each file system', async () => {
    const result = await cut(
      ...[
        '--planted',
        'redo.log-not-synced,copy.directory-not-synced',
        '--fs',
        'ext4,xfs,btrfs',
        '--states',
        '100',
      ],
    );
    const { targets } = answer(result);
    const held = targets.filter(({ counts }) => (counts.lost ?? 0) === 0).map(({ id }) => id);
    expect(targets).to.have.length(6);
    expect(held, result.stdout).to.deep.equal([]);
  });

  it('a program that goes on after a failed flush is caught, one that stops is not', async () => {
    const careless = await script('errors', 'eio-flush');
    expect(careless.status, careless.stdout).to.equal(1);
    expect(answer(careless).counts.lost).to.be.greaterThan(0);
    const careful = await script('careful', 'eio-flush');
    expect(careful.status, careful.stdout).to.equal(0);
    expect(answer(careful).notes[0]?.text).to.match(/the program ended early in [1-9].*Input\/output error/);
  });

  it('a program that ignores a full disk is caught, one that stops is not', async () => {
    expect((await script('errors', 'full')).status).to.equal(1);
    const careful = await script('careful', 'full');
    expect(careful.status, careful.stdout).to.equal(0);
  });

  it('a program that takes a read error for an empty file is caught, one that stops is not', async () => {
    const careless = await script('reads', 'eio-read');
    expect(careless.status, careless.stdout).to.equal(1);
    const careful = await script('careful', 'eio-read');
    expect(careful.status, careful.stdout).to.equal(0);
  });

  it('a file system that breaks is told apart from the program that lived on it', async () => {
    // Without its journal ext4 promises nothing of its metadata.
    const result = await cut(
      ...[
        '--backend',
        'copy',
        '--workload',
        'bank',
        '--fs',
        'ext4::-O ^has_journal',
        '--disk-fault',
        'torn-512',
      ],
      ...['--states', '300', '--for', '60s'],
    );
    const { targets, findings } = answer(result);
    const own = targets.find(({ id }) => id === 'file-system+disk:torn-512');
    expect(own, result.stdout).to.not.equal(undefined);
    const told = findings.find(({ target }) => target === 'file-system+disk:torn-512');
    expect(told?.explanation).to.match(/^the file system's own, not the target's/);
    expect(result.status).to.equal(1);
  });

  it('a fault of the disk that does not exist is refused by name', async () => {
    const result = await cut('--backend', 'redo', '--disk-fault', 'fire');
    expect(result.status).to.equal(64);
    expect(result.stderr).to.contain('fire').and.contain('eio-flush');
  });
});
