import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadConfig } from '../../../harness/config/load.js';
import { parseDuration } from '../../../harness/config/schema.js';
import { UsageError } from '../../../harness/core/errors.js';

async function refusal(folder: string, file?: string): Promise<string> {
  try {
    await loadConfig(folder, file);
  } catch (error) {
    expect(error).to.be.instanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('the configuration', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('has defaults for everything', async () => {
    const { config, file } = await loadConfig(folder);
    expect(file).to.equal(null);
    expect(config).to.deep.include({ targets: {}, backends: [], controls: true });
  });

  it('is TypeScript or JSON', async () => {
    const target = { setup: 'a', run: 'b', check: 'c' };
    writeFileSync(
      path.join(folder, 'plugpull.config.ts'),
      `const seed: number = 7;\nexport default { seed, for: '5m', targets: { store: ${JSON.stringify(target)} } };\n`,
    );
    const { config } = await loadConfig(folder);
    expect(config).to.deep.include({ seed: 7, for: 300_000 });
    expect(config.targets.store).to.deep.include({
      ...target,
      expect: 'hold',
      recoverTwice: 'state',
      promise: 'durable',
    });
    writeFileSync(path.join(folder, 'other.json'), '{ "seed": 9 }');
    expect((await loadConfig(folder, 'other.json')).config.seed).to.equal(9);
  });

  it('is refused with the name of what is wrong in it', async () => {
    const file = path.join(folder, 'plugpull.config.json');
    writeFileSync(file, '{ "sed": 1 }');
    expect(await refusal(folder))
      .to.contain(file)
      .and.contain('sed');
    writeFileSync(file, '{ "trials": "many" }');
    expect(await refusal(folder)).to.contain('trials');
    writeFileSync(file, '{ "targets": { "s": { "setup": "a", "run": "b" } } }');
    expect(await refusal(folder)).to.contain('check');
    writeFileSync(
      file,
      '{ "targets": { "s": { "setup": "a", "run": "b", "check": "c", "promise": "none" } } }',
    );
    expect(await refusal(folder)).to.contain('promise');
    writeFileSync(file, '{ not json');
    expect(await refusal(folder)).to.contain('cannot be read');
    expect(await refusal(folder, 'missing.ts')).to.contain('missing.ts');
  });

  it('knows durations', () => {
    expect(['500ms', '90s', '5m', '2h', '1.5s'].map(parseDuration)).to.deep.equal([
      500, 90_000, 300_000, 7_200_000, 1500,
    ]);
    for (const bad of ['', '5', 'm', '5 m', '-5s', '5d']) expect(parseDuration(bad)).to.be.NaN;
  });
});
