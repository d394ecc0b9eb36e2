import { expect } from 'chai';
import { execaSync } from 'execa';
import { existsSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { parseFileSystem } from '../../../harness/disk/file-systems.js';
import { diskProgram } from '../../../harness/disk/line-process.js';
import { repair } from '../../../harness/disk/repair.js';
import { whyNoDiskHere } from '../../../harness/rigs/disk.js';
import type { SubjectCheck } from '../../../harness/subjects/subject.js';
import { temporaryFolder } from '../../support/cli.js';

/** Mounts are made only there: `unshare --mount` before mocha. Where process 1 cannot be asked, all mounts are. */
function inPrivateMounts(): boolean {
  try {
    return readlinkSync('/proc/self/ns/mnt') !== readlinkSync('/proc/1/ns/mnt');
  } catch {
    return true;
  }
}

/** A dm-log-writes log of one write of zeros: an image that holds no file system. */
function emptyState(folder: string): string {
  const log = Buffer.alloc(3 * 512);
  log.writeBigUInt64LE(0x6a736677736872n, 0);
  log.writeBigUInt64LE(1n, 8);
  log.writeBigUInt64LE(1n, 16);
  log.writeUInt32LE(512, 24);
  log.writeBigUInt64LE(1n, 512 + 8);
  const file = path.join(folder, 'log');
  const state = path.join(folder, 'state');
  execaSync('dd', [`of=${file}`], { input: log });
  execaSync(diskProgram(), ['convert', '--from-dmlog', file, '--trace', state, '--image-bytes', '4194304']);
  return state;
}

describe('repair of a state that cannot be mounted', () => {
  let folder: string;
  let remove: () => void;
  before(function () {
    if (whyNoDiskHere() !== null || !inPrivateMounts()) this.skip();
  });
  beforeEach(() => ({ folder, remove } = temporaryFolder()));
  afterEach(() => remove());

  const consistent: SubjectCheck = {
    ...{ outcome: 'consistent', state: 4, reason: '', log: '', millis: 0 },
    end: { exit: 0, signal: null, stopped: null },
  };
  const ext4 = parseFileSystem('ext4');
  const run = (steps: string[][]): ReturnType<typeof repair> =>
    repair({ ...ext4, repair: steps }, emptyState(folder), path.join(folder, 'mount'), 'no superblock', () =>
      Promise.resolve(consistent),
    );

  it('goes on until the file system can be mounted, whatever its programs say of themselves', async () => {
    const makes = ['sh', '-c', 'mkfs.ext4 -q -F "$0"; exit 1'];
    const { log, check } = await run([['false'], makes, ['true']]);
    expect(check).to.deep.equal({
      ...consistent,
      repaired: { refusal: 'no superblock', by: `false, then ${makes.join(' ')}` },
    });
    expect(log).to.include('still not to be mounted').and.include('exit 1').and.include('then it could be');
    expect(existsSync(path.join(folder, 'state.img'))).to.equal(false);
  });

  it('says what was tried where nothing helps', async () => {
    const { log, check } = await run([['sh', '-c', 'exit 8'], ['true']]);
    expect(check).to.equal(null);
    expect(log).to.include('exit 8').and.include('exit 0');
  });
});
