/** Power cuts during recovery on a real file system. Needs root, FUSE and loop devices. */
import { expect } from 'chai';
import { renameSync } from 'node:fs';
import path from 'node:path';
import { whyNoDiskHere } from '../../harness/rigs/disk.js';
import { plugpull, temporaryFolder } from '../support/cli.js';
import { answerOf, storeScript } from '../support/store-script.js';

/** A store whose commits go to a log alone; recovery brings its data up to date. `early`: it removes the log before that. */
const store = `#!/bin/sh
set -eu
cd "$PLUGPULL_DIR"
put() { echo "$2" >"$1.new"; sync "$1.new"; mv "$1.new" "$1"; sync .; }
case $1 in
  setup) put data 0 ;;
  run)
    k=0
    while :; do k=$((k + 1)); put log $k; echo "plugpull commit $k"; read -r answer || exit 0; done ;;
  check)
    if [ -e log ]; then
      k=$(cat log)
      if [ "$2" = early ]; then rm log; sync .; put data "$k"; else put data "$k"; rm log; sync .; fi
    fi
    echo "plugpull state $(cat data)" ;;
esac
`;

interface Answer {
  verdict: string;
  findings: { verdict: string; explanation: string; bundle: string }[];
}

describe('power cuts during recovery on a real file system', function () {
  this.timeout(180_000);
  let folder: string;
  let remove: () => void;
  before(function () {
    if (whyNoDiskHere() !== null) this.skip();
  });
  beforeEach(() => ({ folder, remove } = temporaryFolder()));
  afterEach(() => remove());

  const run = async (mode: string, nested: string): Promise<Answer> => {
    const result = await plugpull(
      [
        ...['run', '--fault', 'cut', '--rig', 'disk', '--fs', 'ext4', '--seed', '7', '--quiet', '--json'],
        ...storeScript(folder, store, mode),
        ...['--commits', '3', '--states', '150', '--nested', nested, '--out', `${mode}-${nested}`],
      ],
      folder,
    );
    return answerOf(result) as Answer;
  };

  it('shows a recovery that destroys the only copy before the other is durable, and nothing else does', async () => {
    expect((await run('early', '0')).verdict).to.equal('held');
    const found = await run('early', '1');
    expect(found.verdict).to.equal('violation');
    const [finding] = found.findings;
    expect(finding?.explanation)
      .to.include('the power was cut again during recovery')
      .and.include('first cut');
    // Its bundle shows it again by itself.
    renameSync(path.join(folder, 'early-1', finding?.bundle ?? ''), path.join(folder, 'it.plugpull'));
    const again = await plugpull(['replay', 'it.plugpull', '--json'], folder);
    expect(again.status, again.stderr).to.equal(1);
    expect(JSON.parse(again.stdout)).to.include({ verdict: finding?.verdict, same: true });
  });

  it('accuses no recovery that does it in the right order', async () => {
    expect((await run('late', '1')).verdict).to.equal('held');
  });
});
