/** Findings on a real disk name the file whose flush was forgotten, though the disk was never sent what it lost. */
import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cutOnDisk, storeScript, told, type CutAnswer } from '../support/store-script.js';

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

describe('findings of stores that forget a flush', function () {
  this.timeout(180_000);
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-forget-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const tortured = (forget: string, script = store): Promise<CutAnswer> =>
    cutOnDisk(folder, storeScript(folder, script, forget), { fs: 'ext4', states: 120 });

  it('name the file whose data were never flushed', async () => {
    const log = told(await tortured('log', unflushedLog));
    expect(log).to.match(/`log` (is empty|has \d+ bytes), though it had \d+ bytes when commit \d+ was acked/);
    expect(log).to.match(/only in memory: written, and not flushed/);
  });

  it('name the file whose rename was never flushed', async () => {
    expect(told(await tortured('folder'))).to.match(
      /`state` is the file of commit \d+ again, .* nothing had made that durable in its folder/,
    );
  });

  it('are none where nothing is forgotten', async () => {
    expect((await tortured('nothing')).findings).to.deep.equal([]);
  });
});
