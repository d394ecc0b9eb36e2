/** A campaign whose guests cannot be had: it goes to its end, and says so in its verdict and its reports. */
import { expect } from 'chai';
import { appendFileSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import type { RunEvent } from '../../harness/core/events.js';
import { hostSuite } from '../../harness/images/apt.js';
import { readRecipe } from '../../harness/images/recipe.js';
import { findTool } from '../../harness/images/tools.js';
import { fakeImage, temporaryCache } from '../support/cache.js';
import { plugpull, temporaryFolder } from '../support/cli.js';

describe('power-offs of guests that cannot be had', function () {
  this.timeout(120_000);
  let folder: string;
  let remove: () => void;
  let cache: ReturnType<typeof temporaryCache>;
  let image: string;
  const searchPath = process.env.PATH;

  beforeEach(async function () {
    if (findTool('qemu-system-x86_64') === null) this.skip();
    ({ folder, remove } = temporaryFolder());
    cache = temporaryCache();
    image = await fakeImage(cache.folder, readRecipe('6.1', hostSuite()).id);
  });
  afterEach(() => {
    process.env.PATH = searchPath;
    cache.remove();
    remove();
  });

  const args = ['--backend', 'redo', '--workload', 'bank', '--out', 'out', '--quiet'];

  it('ends as harness-broken, with its report, where the guest never boots; what else was asked for is done', async () => {
    const faults = [
      '--fault',
      'kill,poweroff',
      '--fs',
      'ext4,xfs',
      '--trials',
      '60',
      '--sweep',
      'none',
      '--no-controls',
    ];
    const { status, stdout, stderr } = await plugpull(['run', ...faults, ...args, '--json'], folder);
    expect(status, stderr).to.equal(70);
    const report = JSON.parse(stdout) as {
      verdict: string;
      complete: boolean;
      targets: { fault: string; fs: string | null; counts: Record<string, number> }[];
      caveats: string[];
    };
    expect(report).to.include({ verdict: 'harness-broken', complete: true });
    const under = (fault: string) => report.targets.filter((target) => target.fault === fault);
    expect(under('kill')[0]?.counts.held).to.be.greaterThan(10);
    expect(under('poweroff').map(({ fs }) => fs)).to.include.members([
      'ext4 on 6.1, kept',
      'xfs on 6.1, volatile',
      'xfs on 6.1, log',
    ]);
    for (const { counts } of under('poweroff')) expect(counts).to.include({ held: 0, 'harness-broken': 1 });
    expect(report.caveats.join('\n')).to.match(/ext4 on 6.1, kept: .*(qemu|kernel)/i);
    expect(existsSync(path.join(folder, 'out', 'report.html'))).to.equal(true);
    const events = readFileSync(path.join(folder, 'out', 'events.jsonl'), 'utf8')
      .trim()
      .split('\n');
    expect((JSON.parse(events.at(-1) ?? '') as RunEvent).type).to.equal('run-ended');
  });

  it('builds a broken image again, and says what it lacks for that', async () => {
    appendFileSync(path.join(image, 'initrd'), 'x');
    const programs = path.join(folder, 'bin');
    mkdirSync(programs);
    for (const name of ['sh', 'flock', 'setpriv', 'qemu-system-x86_64']) {
      symlinkSync(findTool(name) ?? '/no/such/program', path.join(programs, name));
    }
    symlinkSync(process.execPath, path.join(programs, 'node'));
    process.env.PATH = programs;
    const { status, stderr } = await plugpull(['run', '--fault', 'poweroff', ...args], folder);
    expect(status, stderr).to.equal(69);
    expect(stderr).to.match(/images are built from Debian packages by apt/);
  });
});
