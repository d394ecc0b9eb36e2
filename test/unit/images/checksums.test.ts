import { expect } from 'chai';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { checksumsOf, damageOf } from '../../../harness/images/checksums.js';
import { temporaryFolder } from '../../support/cli.js';

describe('checksums of files in the cache', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
    writeFileSync(path.join(folder, 'a'), 'first');
    writeFileSync(path.join(folder, 'b'), 'second');
  });
  afterEach(() => remove());

  it('find what was changed, cut or removed, and nothing else', async () => {
    const sums = await checksumsOf(folder, ['a', 'b']);
    expect(await damageOf(folder, sums)).to.equal(null);
    expect(await damageOf(folder, sums)).to.equal(null);
    writeFileSync(path.join(folder, 'a'), 'fIrst');
    expect(await damageOf(folder, sums)).to.equal('the checksum of a is wrong');
    writeFileSync(path.join(folder, 'a'), 'fir');
    expect(await damageOf(folder, sums)).to.equal('a has 3 bytes and not 5');
    rmSync(path.join(folder, 'a'));
    expect(await damageOf(folder, sums)).to.equal('a: ENOENT');
  });

  it('are looked at again after a boot: the power may have failed before all was on the disk', async () => {
    const sums = await checksumsOf(folder, ['a']);
    await damageOf(folder, sums);
    const right = sums.a!.sha256;
    const wrong = right.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    // As if it had been found to be right, which is believed while the machine is up.
    const memo = path.join(folder, '.verified.json');
    const known = readFileSync(memo, 'utf8').replace(right, wrong);
    writeFileSync(memo, known);
    sums.a!.sha256 = wrong;
    expect(await damageOf(folder, sums)).to.equal(null);
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    writeFileSync(memo, known.replace(boot, '00000000-0000-4000-8000-000000000000'));
    expect(await damageOf(folder, sums)).to.equal('the checksum of a is wrong');
  });
});
