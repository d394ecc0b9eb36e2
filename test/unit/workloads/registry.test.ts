import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadWorkload, workloadByName, workloads } from '../../../workloads/registry.js';

describe('the registry of workloads', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'workloads-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  function module(name: string, source: string): string {
    const file = path.join(folder, name);
    writeFileSync(file, source);
    return file;
  }

  async function refusal(nameOrPath: string): Promise<string> {
    try {
      await loadWorkload(nameOrPath);
    } catch (error) {
      return (error as Error).message;
    }
    return 'it was loaded';
  }

  it('has a name and a layout of its own for each', () => {
    for (const of of ['name', 'layout', 'summary'] as const) {
      expect(new Set(workloads.map((workload) => workload[of])).size).to.equal(workloads.length);
    }
    for (const workload of workloads) expect(workloadByName(workload.name)).to.equal(workload);
    expect(workloadByName('bonk')).to.equal(undefined);
  });

  it('says what there is when a name is unknown', async () => {
    expect(await refusal('bonk')).to.match(/no workload "bonk"; there are: bank, kv, .*path of a module/);
  });

  const parts = `name: 'n', summary: 's', layout: 'n/1', size: { heapBytes: 65536, items: 1, changes: 1 },
    initialise() {}, start() {}, read() {}, model() {}`;

  it('loads a module by its path, in JavaScript and TypeScript, once', async () => {
    const js = module('mine.mjs', `export default { ${parts} };`);
    const ts = module('mine.ts', `const two: number = 2; export default { ${parts}, two };`);
    expect((await loadWorkload(js)).name).to.equal('n');
    expect(await loadWorkload(ts)).to.include({ name: 'n', two: 2 });
    expect(await loadWorkload(js)).to.equal(await loadWorkload(js));
  });

  it('says what a module lacks', async () => {
    expect(await refusal(path.join(folder, 'none.mjs'))).to.match(/no workload module .*none\.mjs/);
    expect(await refusal(module('a.mjs', 'export const x = 1;'))).to.match(/not a workload: it is missing/);
    expect(await refusal(module('b.mjs', 'export default 7;'))).to.match(/not a workload: it is number/);
    expect(await refusal(module('c.mjs', `export default { ${parts}, read: 1 };`))).to.match(
      /"read" must be/,
    );
    expect(await refusal(module('d.mjs', `export default { ${parts}, size: {} };`))).to.match(
      /"size.heapBytes"/,
    );
    expect(await refusal(module('e.mjs', `export default { ${parts}, layout: '' };`))).to.match(
      /"layout" must/,
    );
    expect(await refusal(module('f.mjs', `export default { ${parts}, otherLayouts: 'x' };`))).to.match(
      /otherLay/,
    );
    expect(await refusal(module('i.mjs', `export default { ${parts}, name: 'bank' };`))).to.match(/taken/);
    expect(await refusal(module('g.mjs', 'export default {'))).to.match(/g\.mjs cannot be loaded: /);
    expect(await refusal(module('h.ts', 'throw new Error("bang")'))).to.match(/h\.ts cannot be loaded: bang/);
  });
});
