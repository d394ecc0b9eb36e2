import { expect } from 'chai';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { plugpull, temporaryFolder } from '../support/cli.js';

describe('bad input to the command line', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(() => remove());

  const refused: [string, string[], RegExp][] = [
    ['an unknown command', ['torment'], /unknown command 'torment'/],
    ['an unknown flag', ['run', '--sed', '7'], /unknown option '--sed'[\s\S]*--seed/],
    ['an unknown backend', ['run', '--backend', 'rado'], /no backend "rado"[\s\S]*redo/],
    ['an unknown workload', ['run', '--workload', 'bonk'], /no workload "bonk"[\s\S]*bank/],
    ['an unknown target', ['run', '--target', 'nothing'], /no target "nothing"/],
    ['an unknown planted bug', ['run', '--planted', 'nope'], /no planted bug "nope"/],
    ['an unknown fault', ['run', '--fault', 'fire'], /no fault "fire"[\s\S]*kill/],
    ['an unknown rig', ['run', '--rig', 'moon'], /no rig "moon"/],
    ['an unknown tracker', ['run', '--tracker', 'magic'], /no tracker "magic"/],
    ['a bad seed', ['run', '--seed', '-1'], /seed/],
    ['a bad duration', ['run', '--for', 'soon'], /duration/],
    ['a bad shard', ['run', '--shard', '3/2'], /i\/n/],
    ['a bound out of range', ['run', '--gate-upper-bound', '2'], /probability/],
    ['no trials', ['run', '--trials', '0'], /above 0/],
    [
      'an input that is not there',
      ['run', '--workload', 'text-index', '--input', 'none.txt'],
      /no file none.txt/,
    ],
    ['a config that is not there', ['run', '--config', 'none.ts'], /none\.ts/],
    ['half a program', ['run', '--setup', 'true'], /go together/],
    [
      'a program file that is not there',
      ['run', '--setup', 'a', '--run', 'b', '--check', 'c', '--with', 'none'],
      /no program none/,
    ],
    [
      'a folder that is missing',
      ['run', '--dir', 'none', '--trials', '1'],
      /cannot use the folder[\s\S]*ENOENT[\s\S]*--dir/,
    ],
    ['a run to resume that is not there', ['run', '--resume', 'none'], /none/],
    ['a finding that is none', ['replay', '.'], /not the folder of a finding/],
    ['a run that is none', ['report', '.'], /holds no run/],
    [
      'a run directory that cannot be made',
      ['run', '--out', '/proc/none/below'],
      /cannot make the run directory/,
    ],
    ['more jobs than make sense', ['run', '--jobs', '100000'], /at most 256/],
    [
      'a folder for the text to read',
      ['run', '--backend', 'redo', '--workload', 'text-index', '--input', '/etc'],
      /no file \/etc/,
    ],
    [
      'a backend beside a program',
      ['run', '--setup', 'a', '--run', 'b', '--check', 'c', '--backend', 'redo'],
      /--backend is for heaps/,
    ],
    ['a name without a program', ['run', '--name', 'store'], /--name goes with --setup/],
    ['an unknown list', ['list', 'stars'], /no list "stars"/],
    ['a merge of nothing', ['merge', 'a', 'b', '--out', 'c'], /no run directory a/],
  ];
  for (const [what, args, message] of refused) {
    it(`refuses ${what} with exit status 64`, async () => {
      const result = await plugpull(args, folder);
      expect(result.stderr).to.match(message);
      expect(result.stderr).not.to.match(/\n {4}at /, 'a stack is no explanation');
      expect(result.status).to.equal(64);
      expect(result.stdout).to.equal('');
    });
  }

  it('refuses a config with wrong types, naming the entry', async () => {
    writeFileSync(path.join(folder, 'plugpull.config.json'), '{ "jobs": "two" }');
    const result = await plugpull(['run'], folder);
    expect(result.status).to.equal(64);
    expect(result.stderr)
      .to.match(/plugpull\.config\.json/)
      .and.match(/jobs/);
  });

  it('refuses a folder that cannot be written', async () => {
    const result = await plugpull(
      ['run', '--backend', 'copy', '--dir', '/proc/self', '--trials', '1'],
      folder,
    );
    expect(result.status).to.equal(64);
    expect(result.stderr).to.match(/cannot write in the folder/);
  });

  it('refuses to write into another run', async () => {
    mkdirSync(path.join(folder, 'out'));
    writeFileSync(path.join(folder, 'out', 'events.jsonl'), '');
    const result = await plugpull(['run', '--out', 'out', '--trials', '1'], folder);
    expect(result.status).to.equal(64);
    expect(result.stderr).to.match(/already holds a run[\s\S]*--resume/);
  });

  it('lists the runs that can be read beside one that cannot', async () => {
    const runs = path.join(folder, '.plugpull', 'runs');
    for (const [name, text] of [
      ['1-cut-short', '{"type":"run-star'],
      ['2-damaged', 'no JSON\n{}\n'],
    ] as const) {
      mkdirSync(path.join(runs, name), { recursive: true });
      writeFileSync(path.join(runs, name, 'events.jsonl'), text);
    }
    const run = ['run', '--backend', 'copy', '--workload', 'bank', '--fault', 'kill', '--trials', '2'];
    await plugpull([...run, '--sweep', 'none', '--out', path.join(runs, '3-whole')], folder);
    const result = await plugpull(['list', 'runs'], folder);
    expect(result.stdout).to.match(/1-cut-short +unfinished +0/);
    expect(result.stdout).to.match(/2-damaged +cannot be read/);
    expect(result.stdout).to.match(/3-whole +held +2/);
    expect(result.status).to.equal(0);
    const report = await plugpull(['report', path.join(runs, '2-damaged')], folder);
    expect(report.stderr).to.match(/line 1 is not JSON/);
    expect(report.status).to.equal(64);
  });

  it('prints help and version on stdout with exit status 0', async () => {
    for (const args of [['--help'], ['run', '--help'], ['--version'], []]) {
      const result = await plugpull(args, folder);
      expect(result.status, args.join(' ')).to.equal(0);
      expect(result.stdout).not.to.equal('');
    }
  });
});
