import { expect } from 'chai';
import {
  appendFileSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { UnavailableError, UsageError } from '../../../harness/core/errors.js';
import { hostSuite } from '../../../harness/images/apt.js';
import { cacheRoot } from '../../../harness/images/cache.js';
import { findImage, heldFile, holdFiles, listImages, removeImage } from '../../../harness/images/image.js';
import { BrokenImageError } from '../../../harness/images/manifest.js';
import { readRecipe } from '../../../harness/images/recipe.js';
import { fakeImage, temporaryCache } from '../../support/cache.js';

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

describe('images in the cache', () => {
  let cache: ReturnType<typeof temporaryCache>;
  const id = readRecipe('6.1', hostSuite()).id;
  beforeEach(() => (cache = temporaryCache()));
  afterEach(() => cache.remove());

  it('are found by their kernel, whole', async () => {
    expect(await findImage('6.1')).to.equal(null);
    const folder = await fakeImage(cache.folder, id);
    const image = await findImage('6.1');
    expect(image?.root).to.equal(path.join(folder, 'root.squashfs'));
    expect(image?.release).to.equal('6.1.0-x');
  });

  it('are refused when a file is changed, even if its time and length are as before, and named with the way out', async () => {
    const folder = await fakeImage(cache.folder, id);
    await findImage('6.1'); // known to be right from now on
    const file = path.join(folder, 'initrd');
    const { atime, mtime } = statSync(file);
    const content = readFileSync(file);
    content[0] = (content[0] ?? 0) ^ 1;
    writeFileSync(file, content);
    utimesSync(file, atime, mtime);
    const error = await failure(findImage('6.1'));
    expect(error).to.be.instanceOf(BrokenImageError);
    expect((error as Error).message).to.include(`image ${id} is broken: the checksum of initrd`);
    expect(error).to.have.property('remedy').that.includes(`plugpull image rm ${id}`);
    await removeImage(id);
    expect(await findImage('6.1')).to.equal(null);
  });

  const damages: [string, string, (folder: string) => void][] = [
    ['a file is missing', 'vmlinuz: ENOENT', (folder) => rmSync(path.join(folder, 'vmlinuz'))],
    [
      'a file is longer',
      'root.squashfs has',
      (folder) => appendFileSync(path.join(folder, 'root.squashfs'), 'x'),
    ],
    ['there is no manifest', 'image.json: ENOENT', (folder) => rmSync(path.join(folder, 'image.json'))],
    [
      'the manifest is cut',
      'image.json:',
      (folder) => writeFileSync(path.join(folder, 'image.json'), '{"schema":'),
    ],
    [
      'the manifest is of something else',
      'image.json:',
      (folder) => writeFileSync(path.join(folder, 'image.json'), '[]'),
    ],
  ];
  for (const [what, why, damage] of damages) {
    it(`are refused where ${what}`, async () => {
      damage(await fakeImage(cache.folder, id));
      const error = await failure(findImage('6.1'));
      expect(error).to.be.instanceOf(BrokenImageError);
      expect((error as Error).message).to.include(why);
    });
  }

  it('are listed with what they are, broken ones too', async () => {
    await fakeImage(cache.folder, id);
    rmSync(path.join(await fakeImage(cache.folder, 'other'), 'image.json'));
    await fakeImage(cache.folder, '6.1-0123456789');
    const [old, current, broken] = await listImages();
    expect(old).to.include({ id: '6.1-0123456789', outdated: true, broken: null });
    expect(current).to.include({ id, kernel: '6.1', release: '6.1.0-x', outdated: false, broken: null });
    expect(current?.bytes).to.be.greaterThan(100);
    expect(broken).to.include({ id: 'other', kernel: null });
    expect(broken?.broken).to.include('ENOENT');
  });

  it('are not removed while they are used', async () => {
    await fakeImage(cache.folder, id);
    const image = await findImage('6.1');
    const hold = holdFiles([heldFile(image!)]);
    try {
      expect((await listImages())[0]?.usedBy).to.deep.equal([process.pid]);
      const error = await failure(removeImage(id));
      expect(error).to.be.instanceOf(UnavailableError);
      expect((error as Error).message).to.include(`in use by process ${process.pid}`);
    } finally {
      hold.release();
    }
    await removeImage(id);
    expect(existsSync(image!.folder)).to.equal(false);
  });

  it('are not removed by a name that is none', async () => {
    const folder = await fakeImage(cache.folder, id);
    for (const name of ['nothing', '..', `../images/${id}`, '']) {
      expect(await failure(removeImage(name)), name).to.be.instanceOf(UsageError);
    }
    expect(existsSync(folder)).to.equal(true);
  });
});

describe('the cache', () => {
  it('is where the user says', () => {
    expect(cacheRoot({ PLUGPULL_CACHE: '/a/b' })).to.equal('/a/b');
    expect(cacheRoot({ XDG_CACHE_HOME: '/x' })).to.equal('/x/plugpull');
    expect(cacheRoot({ XDG_CACHE_HOME: 'relative' })).to.match(/^\/.*\.cache\/plugpull$/);
    expect(cacheRoot({})).to.match(/^\/.*\.cache\/plugpull$/);
  });
});
