import { expect } from 'chai';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { guestsAtOnce } from '../../../harness/campaign/poweroff-engine.js';
import { freeMemory } from '../../../harness/rigs/free-memory.js';
import { temporaryFolder } from '../../support/cli.js';

const gib = 1024 ** 3;

describe('free memory', () => {
  it('is what the control group leaves, those above it included, with caches of files', () => {
    const { folder, remove } = temporaryFolder();
    try {
      const group = (name: string, limit: string, used: number, cached = 0): void => {
        const dir = path.join(folder, name);
        mkdirSync(dir, { recursive: true });
        writeFileSync(path.join(dir, 'memory.max'), `${limit}\n`);
        writeFileSync(path.join(dir, 'memory.current'), `${used}\n`);
        writeFileSync(
          path.join(dir, 'memory.stat'),
          `anon 7\ninactive_file ${cached}\nactive_file ${cached}\n`,
        );
      };
      group('a', String(3 * gib), gib);
      group('a/b', 'max', gib);
      const own = '1:name=x:/y\n0::/a/b\n';
      expect(freeMemory(8 * gib, { folder, own })).to.equal(2 * gib);
      expect(freeMemory(gib, { folder, own })).to.equal(gib);
      group('a/b', String(2 * gib), 2 * gib, gib / 4);
      expect(freeMemory(8 * gib, { folder, own })).to.equal(gib / 2);
      expect(freeMemory(8 * gib, { folder, own: '' })).to.equal(8 * gib);
    } finally {
      remove();
    }
  });

  it('is there for this process', () => {
    expect(freeMemory()).to.be.within(1, os.totalmem());
  });

  it('bounds the number of guests', () => {
    expect(guestsAtOnce(2, 16 * gib)).to.equal(3);
    expect(guestsAtOnce(8, 3 * gib)).to.equal(2);
    expect(guestsAtOnce(8, 0)).to.equal(1);
  });
});
