import { expect } from 'chai';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { SourceMaker } from '../../../harness/campaign/disk-engine.js';
import { parseFileSystem } from '../../../harness/disk/file-systems.js';
import type { StateSource } from '../../../harness/disk/state-source.js';
import { defaultCommandLimits, type Target } from '../../../harness/core/target.js';
import { shownFile, shownFolder, showingFile, type Shown } from '../../../harness/uml/protocol.js';
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
    expect(JSON.parse(seen)).to.deep.equal({ state: { epoch: 3, choices: '0,2' }, acked: 5 });
    expect(readFileSync(note(0), 'utf8')).to.equal('');
    await source.close();
  });

  it('lies beside copies of image and trace, of the newest recording alone', async () => {
    const maker: SourceMaker = async () =>
      Promise.resolve({
        digests: async () => Promise.resolve([]),
        check: async () => Promise.resolve([]),
        save: async () => Promise.resolve(),
        refresh: async () => Promise.resolve(),
        close: async () => Promise.resolve(),
      } satisfies StateSource);
    const watched = new Witness(folder).watched(maker);
    for (const name of ['one', 'two']) await (await watched(options(name))).close();
    const shown = JSON.parse(readFileSync(path.join(folder, shownFolder, shownFile), 'utf8')) as Shown;
    expect(readFileSync(shown.base, 'utf8')).to.equal('the image of two');
    expect(readFileSync(shown.trace, 'utf8')).to.equal('the trace of two');
    expect(shown).to.include({ seed: 7, unit: 4096 });
  });
});
