import { expect } from 'chai';
import { execaSync } from 'execa';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseFileSystem } from '../../../harness/disk/file-systems.js';
import { diskProgram } from '../../../harness/disk/line-process.js';
import { tryRepair } from '../../../harness/disk/repair.js';
import { temporaryFolder } from '../../support/cli.js';

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
  it('tells what the programs of the file system said, and leaves no image', async function () {
    const { folder, remove } = temporaryFolder();
    try {
      diskProgram();
    } catch {
      this.skip();
    }
    try {
      const state = emptyState(folder);
      const said = await tryRepair(
        { ...parseFileSystem('ext4'), repair: [['false'], ['true'], ['false']] },
        state,
      );
      expect(said.match(/\$ \w+/g)).to.deep.equal(['$ false']);
      const two = await tryRepair(
        { ...parseFileSystem('ext4'), repair: [['sh', '-c', 'exit 8'], ['true']] },
        state,
      );
      expect(two).to.include('exit 8').and.include('exit 0');
      expect(existsSync(`${state}.img`)).to.equal(false);
    } finally {
      remove();
    }
  });
});
