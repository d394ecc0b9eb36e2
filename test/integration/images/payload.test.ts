import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { payloadArchive, payloadImage } from '../../../harness/images/payload.js';
import { temporaryCache } from '../../support/cache.js';

describe('the payload', () => {
  let cache: ReturnType<typeof temporaryCache>;
  beforeEach(() => (cache = temporaryCache()));
  afterEach(() => cache.remove());

  it('for other machines has all that the agent and the workers need, with their Node', async () => {
    const { id, file } = await payloadArchive();
    const folder = path.join(cache.folder, 'there');
    mkdirSync(folder);
    expect(spawnSync('tar', ['-xzf', file, '-C', folder]).status).to.equal(0);
    expect((await payloadArchive()).id).to.equal(id);
    const node = path.join(folder, 'node');
    const ask = (entry: string, input: string) =>
      spawnSync(node, [path.join(folder, 'dist', 'harness', entry, 'main.js')], {
        cwd: '/',
        env: { PATH: '/usr/bin:/bin' },
        input,
        encoding: 'utf8',
        timeout: 60_000,
      });
    const agent = ask('guest', '{"id":1,"method":"hello","params":{}}\n');
    expect(agent.stdout, agent.stderr).to.include('"result"');
    expect(JSON.parse(agent.stdout.split('\n')[0] ?? '')).to.have.nested.property('result.protocol', 1);
    const worker = ask('worker', '');
    expect(worker.status, worker.stderr).to.equal(0);
  });

  it('for guests is made once, named by its content, and leaves nothing else behind', async () => {
    const [first, second] = await Promise.all([payloadImage(), payloadImage()]);
    expect(second).to.deep.equal(first);
    const { mtimeMs, ino } = statSync(first.file);
    const third = await payloadImage();
    expect(third).to.deep.equal(first);
    expect(statSync(third.file).ino).to.equal(ino);
    expect(statSync(third.file).mtimeMs).to.be.at.least(mtimeMs);
    expect(readdirSync(path.join(cache.folder, 'work'))).to.deep.equal([]);
    const listed = spawnSync('unsquashfs', ['-lln', first.file], { encoding: 'utf8' }).stdout;
    expect(listed).to.match(/-rw-r--r-- 0\/0 .*dist\/harness\/guest\/main\.js/);
    expect(listed).to.match(/-rwxr-xr-x 0\/0 .*build\/Release\/plugpull-guard/);
    expect(listed, 'what text-index indexes').to.match(/docs\/architecture\.md/);
    expect(listed).to.not.match(/dist\/(test|harness\/cli)|node_modules\/(typescript|linkedom)/);
    expect(existsSync(first.file)).to.equal(true);
  });
});
