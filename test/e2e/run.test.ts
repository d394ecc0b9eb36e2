import { expect } from 'chai';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { native } from '../../native/index.js';
import type { RunEvent } from '../../harness/core/events.js';
import { plugpull, temporaryFolder } from '../support/cli.js';

interface Report {
  verdict: string;
  counts: Record<string, number>;
  findings: { verdict: string; target: string; replay: string; explanation: string }[];
}

function events(out: string): RunEvent[] {
  return readFileSync(path.join(out, 'events.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RunEvent);
}

function trialsOf(out: string): string[] {
  return events(out)
    .flatMap((event) => (event.type === 'trial' ? [event] : []))
    .map(({ index, target, seed, plan }) => JSON.stringify({ index, target, seed, plan }))
    .sort();
}

const kill = ['--fault', 'kill', '--quiet'];

describe('plugpull run', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(() => remove());

  it('crashes at every named step of every backend, and each holds', async function () {
    this.timeout(180_000);
    const result = await plugpull(
      [
        'run',
        '--workload',
        'bank',
        ...kill,
        '--backend',
        'redo,journal,snap,copy',
        '--trials',
        '900',
        '--out',
        'out',
        '--json',
      ],
      folder,
    );
    const report = JSON.parse(result.stdout) as Report;
    expect(report.verdict, result.stderr).to.equal('held');
    expect(result.status).to.equal(0);
    for (const event of events(path.join(folder, 'out'))) {
      if (event.type === 'target-ended') expect(event.coverage?.missed, event.target).to.deep.equal([]);
    }
    expect(readdirSync(path.join(folder, 'out')))
      .to.include('report.html')
      .and.not.include('work');
  });

  it('catches the negative control, and shows it again from its files and by another crash', async function () {
    this.timeout(120_000);
    const result = await plugpull(
      [
        'run',
        '--backend',
        'plain',
        '--workload',
        'bank',
        ...kill,
        '--trials',
        '200',
        '--out',
        'out',
        '--json',
      ],
      folder,
    );
    // A control that is caught is what is expected of it.
    expect(result.status, result.stderr).to.equal(0);
    const finding = (JSON.parse(result.stdout) as Report).findings[0];
    expect(finding?.target).to.equal('plain/bank');
    const words = finding!.replay.split(' ');
    expect(words[0]).to.match(/plugpull$/);
    expect(words[1]).to.equal('replay');
    const checked = await plugpull([...words.slice(1), '--json'], folder);
    expect(checked.status, checked.stderr).to.equal(1);
    expect(JSON.parse(checked.stdout)).to.deep.include({ verdict: finding!.verdict, same: true });
    const crashed = await plugpull([...words.slice(1), '--crash', '--attempts', '200'], folder);
    expect(crashed.status, crashed.stderr).to.equal(1);
  });

  const visible = native.plantedBugs().filter((bug) => bug.seenBy === 'kill');
  it('knows at least six planted bugs that a kill can show', () => {
    expect(visible.length).to.be.at.least(6);
  });
  for (const bug of visible) {
    it(`catches the planted bug ${bug.name}`, async function () {
      this.timeout(120_000);
      const backend = native.backends().find(({ name }) => name === bug.subject);
      const image = process.getuid?.() === 0; // then it mounts one that can clone files
      if (backend?.needsReflink === true && !image && !native.reflinkAvailable(folder)) this.skip();
      const result = await plugpull(
        [
          'run',
          '--planted',
          bug.name,
          '--workload',
          bug.workload,
          ...kill,
          '--trials',
          '600',
          '--out',
          'out',
          '--json',
        ],
        folder,
      );
      expect(result.status, `${result.stderr}${result.stdout}`).to.equal(0);
      const report = JSON.parse(result.stdout) as Report;
      expect(report.findings.map(({ target }) => target).join()).to.contain(bug.name);
    });
  }

  it('does the same trials from the same seed, whatever the number of jobs, and in shards', async function () {
    this.timeout(120_000);
    const some = [
      'run',
      '--backend',
      'copy,journal',
      '--workload',
      'queue',
      ...kill,
      '--seed',
      '11',
      '--trials',
      '160',
    ];
    expect((await plugpull([...some, '--jobs', '1', '--out', 'whole'], folder)).status).to.equal(0);
    expect(
      (await plugpull([...some, '--jobs', '2', '--shard', '1/2', '--out', 'a'], folder)).status,
    ).to.equal(0);
    expect((await plugpull([...some, '--shard', '2/2', '--out', 'b'], folder)).status).to.equal(0);
    const whole = trialsOf(path.join(folder, 'whole'));
    expect(whole).to.have.length(160);
    const merged = await plugpull(['merge', 'b', 'a', '--out', 'merged', '--json'], folder);
    expect(merged.status, merged.stderr).to.equal(0);
    expect(trialsOf(path.join(folder, 'merged'))).to.deep.equal(whole);

    const twice = await plugpull(['merge', 'a', 'a', '--out', 'm2'], folder);
    expect(twice.status).to.equal(64);
    expect(twice.stderr).to.match(/given twice/);
    const one = await plugpull(['merge', 'a', '--out', 'm3'], folder);
    expect(one.stderr).to.match(/missing: shard 2\/2/);
    const other = await plugpull(['merge', 'a', 'whole', '--out', 'm4'], folder);
    expect(other.stderr).to.match(/not shards of one campaign/);
  });

  it('exits with 2 while the data do not support the bound asked for', async () => {
    const some = [
      'run',
      '--backend',
      'copy',
      '--workload',
      'bank',
      ...kill,
      '--seed',
      '3',
      '--trials',
      '120',
    ];
    const result = await plugpull([...some, '--gate-upper-bound', '0.0001', '--json'], folder);
    expect(result.status).to.equal(2);
    expect(result.stdout).to.match(/30000 are needed/);
  });

  it('a merge fails if any trial failed', async function () {
    this.timeout(60_000);
    // A program that forgets to be atomic, judged as one that should hold.
    const bad = [
      'run', ...kill, '--seed', '2', '--trials', '40', '--max-failures', '1',
      '--setup', 'echo 0 >$PLUGPULL_DIR/a; echo 0 >$PLUGPULL_DIR/b',
      '--run', 'k=0; while true; do k=$((k+1)); echo $k >$PLUGPULL_DIR/a; sleep 0.01; echo $k >$PLUGPULL_DIR/b; echo plugpull commit $k; read x; done',
      '--check', 'test "$(cat $PLUGPULL_DIR/a)" = "$(cat $PLUGPULL_DIR/b)" || { echo a is not b >&2; exit 1; }',
    ]; // prettier-ignore
    const a = await plugpull([...bad, '--shard', '1/2', '--out', 'a'], folder);
    const b = await plugpull([...bad, '--shard', '2/2', '--out', 'b'], folder);
    expect([a.status, b.status]).to.include(1);
    const merged = await plugpull(['merge', 'a', 'b', '--out', 'merged'], folder);
    expect(merged.status).to.equal(1);
    rmSync(path.join(folder, 'merged'), { recursive: true });
  });
});
