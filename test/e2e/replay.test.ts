import { expect } from 'chai';
import { chmodSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { plugpull, temporaryFolder } from '../support/cli.js';

/** Two files that belong together, one written after the other. */
const store = `#!/bin/sh
cd "$PLUGPULL_DIR"
case $1 in
  setup) echo 0 >a; echo 0 >b ;;
  run) k=0; while :; do k=$((k+1)); echo $k >a; sleep 0.02; echo $k >b; echo "plugpull commit $k"; read -r x || exit 0; done ;;
  check) [ "$(cat a)" = "$(cat b)" ] || { echo 'a is not b' >&2; exit 1; }; echo "plugpull state $(cat a)" ;;
esac
`;

describe('plugpull replay', () => {
  let folder: string;
  let remove: () => void;
  let finding: string;
  before(async function () {
    this.timeout(120_000);
    ({ folder, remove } = temporaryFolder());
    writeFileSync(path.join(folder, 'store.sh'), store);
    chmodSync(path.join(folder, 'store.sh'), 0o755);
    const commands = ['setup', 'run', 'check'].flatMap((name) => [`--${name}`, `./store.sh ${name}`]);
    const run = ['run', ...commands, '--fault', 'kill', '--trials', '200', '--max-failures', '1'];
    const result = await plugpull([...run, '--seed', '5', '--quiet', '--out', 'out'], folder);
    expect(result.status, result.stderr).to.equal(1);
    // Quiet, and yet a line that can be pasted.
    expect(result.stderr.trimEnd()).to.match(/^\S*plugpull replay out\/findings\/0001 {2}# broken: program/);
    finding = path.join(folder, 'out', 'findings', '0001');
  });
  after(() => remove());

  it('shows it from any folder, and says what was checked, what is kept, and how to crash it anew', async () => {
    const { status, stdout, stderr } = await plugpull(['replay', finding], os.tmpdir());
    expect(status, stderr).to.equal(1);
    expect(stdout).to.match(/^program {2}broken: a is not b\n {2}the same verdict as recorded; 1 attempt\n/);
    expect(stdout).to.match(/checked: the files as the crash left them; the program was not run again\n/);
    expect(stdout).to.match(/recorded: broken: killed; a is not b\n/);
    expect(stdout).to.contain(path.join(finding, 'after-crash'));
    expect(stdout).to.match(/cd \S+ && \S+ run --setup '\.\/store\.sh setup' .*--fault kill .*--seed 5\n$/);
  });

  it('shows it from its bundle alone, on another place', async () => {
    const other = path.join(folder, 'other');
    mkdirSync(other);
    copyFileSync(path.join(finding, 'bundle.plugpull'), path.join(other, 'one.plugpull'));
    const { status, stdout, stderr } = await plugpull(['replay', 'one.plugpull'], other);
    expect(status, stderr).to.equal(1);
    expect(stdout).to.contain('the same verdict as recorded');
  });

  it('does not take a check that is gone for a broken store', async () => {
    renameSync(path.join(folder, 'store.sh'), path.join(folder, 'gone.sh'));
    try {
      const { status, stdout, stderr } = await plugpull(['replay', finding], os.tmpdir());
      expect(status).to.equal(69);
      expect(stdout).to.equal('');
      expect(stderr).to.match(/could not be started, so nothing was checked: exit 127[\s\S]*ran in /);
    } finally {
      renameSync(path.join(folder, 'gone.sh'), path.join(folder, 'store.sh'));
    }
  });
});
