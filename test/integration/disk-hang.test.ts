/** Kernels that hang at a crash state. Needs root, FUSE, loop devices and a private mount namespace. */
import { expect } from 'chai';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { defaultCommandLimits, type CommandTarget } from '../../harness/core/target.js';
import { createChecker } from '../../harness/disk/checker.js';
import { parseFileSystem } from '../../harness/disk/file-systems.js';
import { LineProcess } from '../../harness/disk/line-process.js';
import { Presenter } from '../../harness/disk/presenter.js';
import { record } from '../../harness/disk/recording.js';
import { readTraceIndex } from '../../harness/disk/trace-index.js';
import { whyNoDiskHere } from '../../harness/rigs/disk.js';
import { removeAtOnce } from '../../harness/rigs/scratch.js';
import { processesNaming, temporaryFolder, until } from '../support/cli.js';

const target: CommandTarget = {
  ...{ kind: 'command', id: 'store', with: [], ignore: [], expect: 'hold', recoverTwice: 'state' },
  setup: 'echo 0 >"$PLUGPULL_DIR/data"; sync "$PLUGPULL_DIR/data"',
  run: 'exit 0',
  check: 'echo "plugpull state $(cat "$PLUGPULL_DIR/data")"',
  limits: defaultCommandLimits,
};

describe('a mount that hangs', function () {
  this.timeout(120_000);
  let folder: string;
  before(async function () {
    if (whyNoDiskHere() !== null) this.skip();
    await LineProcess.start('hand').then(
      (hand) => hand.close(),
      () => this.skip(),
    );
  });
  beforeEach(() => ({ folder } = temporaryFolder()));
  afterEach(() => removeAtOnce(folder));

  it('is what became of that state, and the next one is shown by another process', async () => {
    const fs = parseFileSystem('ext4');
    const recording = await record({ target, seed: 1, commits: 1, fs, folder });
    const epoch = (await readTraceIndex(recording.trace)).epochs.at(-1)?.number ?? 0;
    const own = path.join(folder, 'slot');
    mkdirSync(own);
    const checker = createChecker(target, 1, own);
    const presenter = await Presenter.start(recording, checker, own, 4096, { patienceMillis: 2000 });
    try {
      const state = { epoch, choices: '-' };
      expect((await presenter.check(state, 0))[0]).to.include({ outcome: 'consistent', state: 0 });
      expect(presenter.device).to.match(/^(loop|zram)\d+$/);
      const { explorer } = presenter as unknown as { explorer: LineProcess };
      process.kill(explorer.pid ?? 0, 'SIGSTOP');
      const [hung] = await presenter.check(state, 0);
      expect(hung?.reason).to.equal('the file system could not be mounted: mounting did not end in 2 s');
      expect(hung?.end.stopped).to.equal('time');
      expect((await presenter.check(state, 0))[0]).to.include({ outcome: 'consistent', state: 0 });
      const repaired = await presenter.repair(state, 0, 'why');
      expect(repaired.check).to.deep.include({
        state: 0,
        repaired: { refusal: 'why', by: fs.repair[0]?.join(' ') },
      });
    } finally {
      await presenter.close();
    }
    await until('processes end', () => processesNaming(own).length === 0);
  });
});
