import { expect } from 'chai';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { native } from '../../native/index.js';
import type { RunEvent } from '../../harness/core/events.js';
import { plugpull, temporaryFolder } from '../support/cli.js';

interface Report {
  verdict: string;
  explored: { states: number; of: number | null; exhaustive: boolean };
  findings: { verdict: string; target: string; explanation: string; bundle: string | null; replay: string }[];
}

const cut = ['run', '--fault', 'cut', '--rig', 'model', '--quiet', '--json'];

function events(out: string): RunEvent[] {
  return readFileSync(path.join(out, 'events.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RunEvent);
}

describe('power cuts in the model of storage', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(() => remove());

  it('leave every correct backend whole, on every profile, in all states that there can be', async function () {
    this.timeout(120_000);
    const profiles = native
      .profiles()
      .map(({ name }) => name)
      .join(',');
    const result = await plugpull(
      [
        ...cut,
        '--backend',
        'redo,journal,copy',
        '--workload',
        'bank,queue',
        '--profile',
        profiles,
        '--exhaustive',
        '--commits',
        '4',
        '--for',
        '5m',
      ],
      folder,
    );
    expect(result.status, result.stderr + result.stdout).to.equal(0);
    const report = JSON.parse(result.stdout) as Report;
    expect(report.verdict).to.equal('held');
    expect(report.explored.exhaustive).to.equal(true);
    expect(report.explored.states).to.be.greaterThan(1000);
  });

  it('show a removed flush, minimized to one lost write and named, and again from the bundle elsewhere', async function () {
    this.timeout(120_000);
    const result = await plugpull(
      [...cut, '--planted', 'redo.log-not-synced', '--out', 'out', '--seed', '5'],
      folder,
    );
    expect(result.status, result.stderr).to.equal(0);
    const found = events(path.join(folder, 'out')).flatMap((event) =>
      event.type === 'finding' ? [event] : [],
    );
    const lost = found.find(({ verdict }) => verdict === 'lost') ?? found[0];
    expect(lost?.explanation)
      .to.match(/(lost: 1 change|torn: 1 write)/)
      .and.match(/heap\.db\.log0/);
    expect(lost?.explanation).to.match(/redo\.commit\./);
    expect(lost?.timeline?.map(({ kind }) => kind)).to.include.members(['write', 'ack', 'cut']);
    const bundle = path.join(folder, 'elsewhere.plugpull');
    copyFileSync(path.join(folder, 'out', lost!.bundle!), bundle);
    for (let i = 0; i < 3; i++) {
      const again = await plugpull(['replay', bundle, '--json'], folder);
      expect(again.status, again.stderr).to.equal(1);
      expect(JSON.parse(again.stdout)).to.deep.include({ verdict: lost!.verdict, same: true });
    }
    const byFolder = await plugpull(['replay', path.join('out', lost!.folder)], folder);
    expect(byFolder.status, byFolder.stderr).to.equal(1);
  });

  it('refuse a bundle that is damaged', async () => {
    const file = path.join(folder, 'x.plugpull');
    writeFileSync(file, 'PLUGPULL and then nothing of use, though it is long enough to have a head');
    const result = await plugpull(['replay', file], folder);
    expect(result.status).to.equal(64);
    expect(result.stderr).to.contain('x.plugpull');
  });

  const refused: [string, string[], RegExp][] = [
    ['a profile that does not exist', ['--profile', 'ntfs'], /no profile "ntfs"[\s\S]*posix/],
    ['a budget of zero', ['--states', '0'], /above 0/],
    ['a depth that is none', ['--nested', '99'], /0 to 8/],
    ['memory that is no size', ['--memory', 'much'], /512M/],
  ];
  for (const [what, args, message] of refused) {
    it(`refuse ${what}`, async () => {
      const result = await plugpull([...cut, ...args], folder);
      expect(result.status).to.equal(64);
      expect(result.stderr).to.match(message);
    });
  }

  it('refuse programs, which cannot enter the model', async () => {
    const program = ['--setup', 'true', '--run', 'true', '--check', 'true'];
    const result = await plugpull([...cut, ...program, '--out', 'out'], folder);
    expect(result.status).to.equal(64);
    expect(result.stderr).to.match(/cannot enter the storage model[\s\S]*--rig disk/);
  });
});

describe('plugpull certify', () => {
  it('catches all planted bugs that a crash can show, and accuses no correct backend', async function () {
    this.timeout(300_000);
    const { folder, remove } = temporaryFolder();
    try {
      const result = await plugpull(['certify', '--json', '--quiet', '--out', 'out'], folder, 280_000);
      const score = JSON.parse(result.stdout) as {
        planted: number;
        caught: number;
        accused: string[];
        held: number;
        bugs: { name: string; catches: unknown[] }[];
      };
      const escaped = score.bugs.filter(({ catches }) => catches.length === 0).map(({ name }) => name);
      expect(escaped).to.deep.equal([]);
      expect(score.planted).to.be.at.least(30);
      expect(score.caught).to.equal(score.planted);
      expect(score.accused).to.deep.equal([]);
      expect(score.held).to.be.greaterThan(1000);
      expect(result.status, result.stderr).to.equal(0);
    } finally {
      remove();
    }
  });
});
