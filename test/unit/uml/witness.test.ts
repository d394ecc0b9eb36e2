import { expect } from 'chai';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { SourceMaker } from '../../../harness/campaign/disk-engine.js';
import { parseFileSystem } from '../../../harness/disk/file-systems.js';
import type { StateSource } from '../../../harness/disk/state-source.js';
import { defaultCommandLimits, type Target } from '../../../harness/core/target.js';
import { shownFolder, showingFile, type Showing } from '../../../harness/uml/protocol.js';
import { Witness } from '../../../harness/uml/witness.js';
import { temporaryFolder } from '../../support/cli.js';

const target: Target = {
  ...{ kind: 'command', id: 'store', setup: 'a', run: 'b', check: 'c', with: [], ignore: [] },
  ...{ expect: 'hold', recoverTwice: 'state', promise: 'durable', limits: defaultCommandLimits },
};

describe('what is known of a state that may crash the kernel', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => ({ folder, remove } = temporaryFolder()));
  afterEach(() => remove());

  const options = (name: string): Parameters<SourceMaker>[0] => {
    const own = path.join(folder, name);
    mkdirSync(own);
    const [base, trace] = [path.join(own, 'base'), path.join(own, 'trace')];
    writeFileSync(base, `the image of ${name}`);
    writeFileSync(trace, `the trace of ${name}`);
    return {
      target,
      seed: 7,
      unit: 4096,
      folder: own,
      recording: { fs: parseFileSystem('ext4'), base, trace },
    };
  };
  const note = (source: number): string => path.join(folder, shownFolder, showingFile(source));

  it('is written down while it is shown, and taken back after', async () => {
    let seen = '';
    const maker: SourceMaker = async () =>
      Promise.resolve({
        digests: async () => Promise.resolve([]),
        check: async () => {
          seen = readFileSync(note(0), 'utf8');
          return Promise.resolve([]);
        },
        save: async () => Promise.resolve(),
        refresh: async () => Promise.resolve(),
        close: async () => Promise.resolve(),
      } satisfies StateSource);
    const source = await new Witness(folder).watched(maker)(options('one'));
    await source.check({ epoch: 3, choices: '0,2' }, 5);
    const showing = JSON.parse(seen) as Showing;
    expect(showing).to.deep.include({ state: { epoch: 3, choices: '0,2' }, acked: 5, seed: 7, unit: 4096 });
    expect(readFileSync(note(0), 'utf8')).to.equal('');
    await source.close();
  });

  it('lies beside copies of image and trace, which stay as long as a source needs them', async () => {
    const read: string[] = [];
    const maker: SourceMaker = async () =>
      Promise.resolve({
        digests: async () => Promise.resolve([]),
        check: async () => {
          for (const number of [0, 1, 2]) {
            const text = existsSync(note(number)) ? readFileSync(note(number), 'utf8') : '';
            if (text === '') continue;
            const shown = JSON.parse(text) as Showing;
            read.push(readFileSync(shown.base, 'utf8'), readFileSync(shown.trace, 'utf8'));
          }
          return Promise.resolve([]);
        },
        save: async () => Promise.resolve(),
        refresh: async () => Promise.resolve(),
        close: async () => Promise.resolve(),
      } satisfies StateSource);
    const watched = new Witness(folder).watched(maker);
    const one = options('one');
    const [outer, inner, twin] = [await watched(one), await watched(options('two')), await watched(one)];
    await inner.check({ epoch: 0, choices: '-' }, 0);
    await inner.close();
    await outer.close();
    await twin.check({ epoch: 0, choices: '-' }, 0);
    await twin.close();
    expect(read).to.deep.equal(
      ['two', 'one'].flatMap((name) => [`the image of ${name}`, `the trace of ${name}`]),
    );
    expect(readdirSync(path.join(folder, shownFolder))).to.be.empty;
  });
});
