/** The example stores under real kills: the right ones hold, the wrong one is caught. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { CommandSubject } from '../../harness/subjects/command.js';
import type { SubjectCheck } from '../../harness/subjects/subject.js';

const root = path.resolve(import.meta.dirname, '../..');
const built = (name: string) => path.join(root, 'build/examples', name);

interface Tally {
  measured: number;
  violations: string[];
}

/** What is wrong with a recovery after `acked`, or null. */
function complaint(acked: number, check: SubjectCheck): string | null {
  if (check.outcome !== 'consistent') return check.reason;
  if (check.state === null || check.state < acked || check.state > acked + 1) {
    return `acked ${acked}, recovered ${check.state}`;
  }
  return null;
}

/** Kills a store at moments spread over its commits, and now and then its recovery too. */
async function torture(folder: string, program: string, args: string, trials: number): Promise<Tally> {
  const command = (phase: string) => `"${program}" ${phase} ${args}`;
  const subject = new CommandSubject({
    setup: command('setup'),
    run: command('run'),
    check: command('check'),
  });
  const tally: Tally = { measured: 0, violations: [] };
  for (let seed = 0; seed < trials && tally.violations.length === 0; seed++) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    const made = await subject.setup(folder, seed);
    expect(made, made.detail).to.include({ end: 'exited', exit: 0 });
    const delayMicros = 50 + ((seed * 7919) % 4000);
    const afterCommit = seed % 13;
    const ran = await subject.run(folder, seed, { mode: 'time', phase: 'run', afterCommit, delayMicros });
    expect(ran.end, ran.detail).to.equal('killed-by-us');
    if (ran.begun) tally.measured++;
    if (seed % 3 === 0) {
      await subject.check(folder, seed, ran.acked, {
        mode: 'time',
        phase: 'recover',
        delayMicros: 40 * seed,
      });
    }
    const first = await subject.check(folder, seed, ran.acked);
    const second = await subject.check(folder, seed, ran.acked);
    const wrong = complaint(ran.acked, first) ?? complaint(ran.acked, second);
    if (wrong !== null) tally.violations.push(wrong);
    else expect(second.state).to.equal(first.state);
  }
  await subject.close();
  return tally;
}

describe('example targets', () => {
  let base: string;
  let folder: string;
  before(() => execFileSync('make', ['-s', '-C', path.join(root, 'examples')], { stdio: 'ignore' }));
  beforeEach(() => {
    base = mkdtempSync(path.join(tmpdir(), 'plugpull-examples-'));
    folder = path.join(base, 'data');
  });
  afterEach(() => rmSync(base, { recursive: true, force: true }));

  const right: [string, string][] = [
    [built('sqlite-store'), 'delete full'],
    [built('sqlite-store'), 'wal normal'],
    [built('lmdb-store'), 'default'],
    [built('lmdb-store'), 'nosync'],
    [path.join(root, 'examples/journal.sh'), ''],
  ];
  for (const [program, args] of right) {
    it(`${path.basename(program)} ${args} holds`, async function () {
      if (!existsSync(program)) this.skip();
      const { measured, violations } = await torture(folder, program, args, 30);
      expect(violations).to.deep.equal([]);
      expect(measured).to.be.above(0);
    });
  }

  it('wrong.sh is caught', async () => {
    const { violations } = await torture(folder, path.join(root, 'examples/wrong.sh'), '', 300);
    expect(violations).to.have.length(1);
  });

  it('gdbm-store holds, or says that this file system has no reflinks', async function () {
    const program = built('gdbm-store');
    if (!existsSync(program)) this.skip();
    mkdirSync(folder);
    const command = (phase: string) => `"${program}" ${phase}`;
    const subject = new CommandSubject({
      setup: command('setup'),
      run: command('run'),
      check: command('check'),
    });
    const made = await subject.setup(folder, 1);
    await subject.close();
    if (made.exit === 69) {
      expect(made.detail).to.match(/cannot clone files \(FICLONE: .*\), and gdbm_failure_atomic needs that/);
      return;
    }
    const { measured, violations } = await torture(folder, program, '', 30);
    expect(violations).to.deep.equal([]);
    expect(measured).to.be.above(0);
  });

  it('gdbm-store without crash tolerance, and gawk-store, make the commits that they say', async function () {
    const programs = [
      `"${built('gdbm-store')}" PHASE plain`,
      `"${path.join(root, 'examples/gawk-store.sh')}" PHASE`,
    ];
    for (const program of programs.filter((one) => existsSync(one.split('"')[1] ?? ''))) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      const command = (phase: string) => program.replace('PHASE', phase);
      const subject = new CommandSubject({
        setup: command('setup'),
        run: command('run'),
        check: command('check'),
      });
      const made = await subject.setup(folder, 1);
      if (made.exit === 69) continue; // this gawk has no persistent heap
      const ran = await subject.run(folder, 1, undefined, { commits: 5 });
      expect(ran, ran.detail).to.include({ acked: 5 });
      // Nothing was in flight: without a crash all is there.
      expect(await subject.check(folder, 1, 5)).to.include({ outcome: 'consistent', state: 5 });
      expect((await subject.check(folder, 2, 5)).outcome).to.equal('inconsistent');
      await subject.close();
    }
  });

  it('a check sees damage that SQLite itself does not', async function () {
    const program = built('sqlite-store');
    if (!existsSync(program)) this.skip();
    mkdirSync(folder);
    const subject = new CommandSubject({
      setup: `"${program}" setup delete`,
      run: 'exit 1',
      check: `"${program}" check delete`,
    });
    await subject.setup(folder, 7);
    // The same store, asked about another seed: a whole, sound database with other content.
    const other = await subject.check(folder, 8, 0);
    await subject.close();
    expect(other.outcome).to.equal('inconsistent');
    expect(other.reason).to.match(/rows are wrong/);
  });

  it('a store that was cut short is no state', async function () {
    const program = built('sqlite-store');
    if (!existsSync(program)) this.skip();
    mkdirSync(folder);
    const subject = new CommandSubject({
      setup: `"${program}" setup delete; truncate -s 10000 "$PLUGPULL_DIR/store.db"`,
      run: 'exit 1',
      check: `"${program}" check delete`,
    });
    await subject.setup(folder, 7);
    const cut = await subject.check(folder, 7, 0);
    await subject.close();
    expect(cut.outcome).to.be.oneOf(['inconsistent', 'failed']);
  });
});
