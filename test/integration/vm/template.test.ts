/** What guests are restored from, in a cache of its own. */
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { removeImage } from '../../../harness/images/image.js';
import { UnavailableError } from '../../../harness/core/errors.js';
import { Guests } from '../../../harness/poweroff/guests.js';
import { memoryFile } from '../../../harness/vm/template-files.js';
import { temporaryCache } from '../../support/cache.js';
import { rejected } from '../../support/rejected.js';
import { guestParts, type GuestParts } from '../../support/vm.js';

/** Reads so slowly that much is in the pipe yet when all has been written to it. */
const slowCat = `#!/bin/sh
piece=$(mktemp)
while head -c 16384 >"$piece" && [ -s "$piece" ]; do /bin/cat "$piece"; sleep 0.05; done
rm "$piece"
`;

describe('templates of guests', function () {
  this.timeout(300_000);
  let parts: GuestParts;
  let cache: ReturnType<typeof temporaryCache> | undefined;

  before(async function () {
    parts = await guestParts(this);
    cache = temporaryCache();
    mkdirSync(path.join(cache.folder, 'images'));
    const to = path.join(cache.folder, 'images', parts.image.id);
    expect(spawnSync('cp', ['-r', parts.image.folder, to]).status).to.equal(0);
  });
  after(() => cache?.remove());

  async function opened(): Promise<{ guests: Guests; said: string }> {
    const said: string[] = [];
    const guests = await Guests.open('6.1', cache?.folder ?? '', (text) => said.push(text));
    return { guests, said: said.join('\n') };
  }

  it('are whole though what writes them is slow', async () => {
    const programs = path.join(cache?.folder ?? '', 'programs');
    mkdirSync(programs);
    writeFileSync(path.join(programs, 'cat'), slowCat, { mode: 0o755 });
    const { PATH = '' } = process.env;
    process.env.PATH = `${programs}:${PATH}`;
    try {
      // One that cannot be restored is not kept, and says so.
      const { guests, said } = await opened();
      expect(said).to.match(/a guest booted in/);
      guests.close();
    } finally {
      process.env.PATH = PATH;
    }
  });

  it('are kept for the next run while whole, made again where damaged, and stay while they are used', async () => {
    const first = await opened();
    const { folder, payload } = first.guests.template;
    // Between two guests nothing of the image is open but what the run itself holds.
    const { image } = first.guests;
    expect((await rejected(removeImage(image.id), UnavailableError)).message).to.match(/is in use by/);
    expect(existsSync(payload)).to.equal(true);
    first.guests.close();

    const again = await opened();
    expect(again.said).to.equal('');
    again.guests.close();

    const memory = path.join(folder, memoryFile);
    const { atime, mtime } = statSync(memory);
    const zeros = ['if=/dev/zero', `of=${memory}`, 'bs=1M', 'seek=16', 'count=16', 'conv=notrunc'];
    expect(spawnSync('dd', zeros).status).to.equal(0);
    utimesSync(memory, atime, mtime);
    const third = await opened();
    expect(third.said).to.match(/a guest booted in/);
    third.guests.close();
    expect(readdirSync(path.join(cache?.folder ?? '', 'work'))).to.deep.equal([]);
    await removeImage(image.id);
  });
});
