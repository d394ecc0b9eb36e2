import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { plugpull, processesNaming, temporaryFolder } from '../support/cli.js';

interface Report {
  verdict: string;
  counts: Record<string, number>;
  caveats: string[];
}

/** Works for ever, one commit after the other, by the protocol. */
const worker =
  'k=0; while true; do k=$((k+1)); echo $k > $PLUGPULL_DIR/new; mv $PLUGPULL_DIR/new $PLUGPULL_DIR/k; echo "plugpull commit $k"; read line; done';
const setup = 'echo 0 > $PLUGPULL_DIR/k';
const check = 'echo "plugpull state $(cat $PLUGPULL_DIR/k)"';

describe('programs that do not behave', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => {
    ({ folder, remove } = temporaryFolder());
  });
  afterEach(() => remove());

  async function torture(
    program: { setup?: string; run?: string; check?: string },
    ...more: string[]
  ): Promise<{ status: number | null; report: Report; reasons: string }> {
    const commands = [
      '--setup',
      program.setup ?? setup,
      '--run',
      program.run ?? worker,
      '--check',
      program.check ?? check,
    ];
    const result = await plugpull(
      [
        'run',
        ...commands,
        '--fault',
        'kill',
        '--trials',
        '4',
        '--timeout',
        '700ms',
        '--json',
        '--quiet',
        '--out',
        'out',
        ...more,
      ],
      folder,
    );
    const events = readFileSync(path.join(folder, 'out', 'events.jsonl'), 'utf8');
    return { status: result.status, report: JSON.parse(result.stdout) as Report, reasons: events };
  }

  it('one that does behave holds', async () => {
    const { status, report } = await torture({});
    expect(report.counts.held).to.be.greaterThan(0);
    expect(status).to.equal(0);
  });

  const silent: [string, { setup?: string; run?: string }, RegExp][] = [
    ['a set-up that fails', { setup: 'echo no space >&2; exit 3' }, /set-up failed[\s\S]*no space/],
    ['a program that is not there', { run: '/nonexistent/store' }, /127|not found/],
    ['one that prints nothing', { run: 'sleep 60' }, /700 ms|0\.7 s|silent|no commit|commit 1/],
    ['one that floods stdout', { run: 'yes' }, /no line|more than/],
    ['one that acks out of order', { run: 'echo plugpull commit 2; read line; sleep 60' }, /commit 2/],
    [
      'one that acks twice',
      { run: 'echo plugpull commit 1; read x; echo plugpull commit 1; read x; sleep 60' },
      /commit 1/,
    ],
    ['one that exits early', { run: 'echo plugpull commit 1; read x; exit 5' }, /5/],
  ];
  for (const [what, program, reason] of silent) {
    it(`${what}: nothing was measured (exit status 2), and it says why`, async () => {
      // With this seed every kill is aimed at commits that these programs never reach.
      const { status, report, reasons } = await torture(program, '--seed', '6');
      expect(report.verdict).to.equal('not-measured');
      expect(report.counts['not-measured']).to.be.greaterThan(0);
      expect(reasons).to.match(reason);
      expect(status).to.equal(2);
    });
  }

  it('one that leaves children, also in sessions of their own: none of them outlives the trial', async () => {
    const mark = path.basename(folder);
    const run = `setsid sleep 61.${process.pid} & (setsid sh -c 'sleep 62.${process.pid} & wait' &) ; ${worker}`;
    const { status } = await torture({ run });
    expect(status).to.equal(0);
    expect(
      processesNaming(`.${process.pid}`).filter((pid) => existsSync(`/proc/${pid}`)),
      mark,
    ).to.deep.equal([]);
  });

  it('a check that hangs is unrecoverable', async () => {
    const { status, report } = await torture({ check: 'sleep 60' }, '--max-failures', '1');
    expect(report.counts.unrecoverable).to.be.greaterThan(0);
    expect(status).to.equal(1);
  });

  it('a check that crashes is unrecoverable', async () => {
    const { status, report } = await torture({ check: 'kill -SEGV $$' }, '--max-failures', '1');
    expect(report.counts.unrecoverable).to.be.greaterThan(0);
    expect(status).to.equal(1);
  });

  it('a check that prints nonsense is a verdict, not an exception', async () => {
    const { status, report } = await torture({ check: 'echo plugpull state many' }, '--max-failures', '1');
    expect(report.verdict).to.be.oneOf(['violation', 'not-measured']);
    expect(status).to.be.oneOf([1, 2]);
  });

  it('a check that finds damage says so with its own words', async () => {
    const { status, reasons } = await torture(
      { check: 'echo the sum is 7 >&2; exit 1' },
      '--max-failures',
      '1',
    );
    expect(reasons).to.contain('the sum is 7');
    expect(status).to.equal(1);
  });
});
