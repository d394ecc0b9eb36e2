/** Findings on a real disk name the file whose flush was forgotten, though the disk was never sent what it lost. */
import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { plugpull } from '../support/cli.js';
import { answerOf, storeScript } from '../support/store-script.js';

/** The whole state in a new file that is renamed over the old one; the words after each command say what is left out. */
const store = `#!/bin/sh
set -eu
d=$PLUGPULL_DIR
state() { echo "$1"; i=0; while [ $i -lt 40 ]; do echo "line $i of $1"; i=$((i + 1)); done; }
commit() {
  state "$1" >"$d/state.new"
  sync "$d/state.new"
  mv "$d/state.new" "$d/state"
  [ "$forget" = folder ] || sync "$d"
}
forget=$2
case $1 in
  setup) forget=nothing; commit 0 ;;
  run)
    k=$(head -n 1 "$d/state")
    while :; do k=$((k + 1)); commit $k; echo "plugpull commit $k"; read -r answer || exit 0; done ;;
  check)
    k=$(head -n 1 "$d/state")
    state "$k" | cmp -s - "$d/state" || { echo "not the file of a commit" >&2; exit 1; }
    echo "plugpull state $k" ;;
esac
`;

/** Appends to a log, and says in an index that is flushed well how much of it counts; the log never is. */
const unflushedLog = `#!/bin/sh
set -eu
d=$PLUGPULL_DIR
lines() { i=0; while [ $i -lt "$1" ]; do i=$((i + 1)); echo "line $i"; done; }
index() { echo "$1" >"$d/index.new"; sync "$d/index.new"; mv "$d/index.new" "$d/index"; sync "$d"; }
case $1 in
  setup) : >"$d/log"; sync "$d/log"; index 0 ;;
  run)
    k=$(cat "$d/index")
    while :; do k=$((k + 1)); echo "line $k" >>"$d/log"; index $k; echo "plugpull commit $k"; read -r answer || exit 0; done ;;
  check)
    k=$(cat "$d/index")
    [ "$(head -n "$k" "$d/log")" = "$(lines "$k")" ] || { echo "the log has no $k lines" >&2; exit 1; }
    echo "plugpull state $k" ;;
esac
`;

interface Answer {
  verdict: string;
  findings: { explanation: string }[];
}

describe('findings of stores that forget a flush', function () {
  this.timeout(180_000);
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-forget-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function explanations(forget: string, script = store): Promise<string[]> {
    const commands = storeScript(folder, script, forget);
    const rig = ['--fault', 'cut', '--rig', 'disk', '--fs', 'ext4', '--commits', '6', '--states', '120'];
    const out = path.join(folder, 'run');
    const result = await plugpull(
      ['run', ...commands, ...rig, '--seed', '3', '--json', '--out', out],
      folder,
    );
    return (answerOf(result) as Answer).findings.map(({ explanation }) => explanation);
  }

  it('name the file whose data were never flushed', async () => {
    const told = await explanations('log', unflushedLog);
    expect(told.join('\n')).to.match(
      /`log` (is empty|has \d+ bytes), though it had \d+ bytes when commit \d+ was acked/,
    );
    expect(told.join('\n')).to.match(/only in memory: written, and not flushed/);
  });

  it('name the file whose rename was never flushed', async () => {
    expect((await explanations('folder')).join('\n')).to.match(
      /`state` is the file of commit \d+ again, .* nothing had made that durable in its folder/,
    );
  });

  it('are none where nothing is forgotten', async () => {
    expect(await explanations('nothing')).to.deep.equal([]);
  });
});
