import { expect } from 'chai';
import type { RunEvent } from '../../../harness/core/events.js';
import { campaignEvents, heldShape, hostile, violatedShape } from '../../support/events.js';
import { FakeIo, rendered } from './support.js';

const terminal = { kind: 'terminal', summaryOnStdout: true } as const;
// eslint-disable-next-line no-control-regex -- that is what must not be there
const control = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

async function summaryOf(events: Iterable<RunEvent>, columns = 100): Promise<string> {
  const io = new FakeIo({}, { columns });
  await rendered(events, [{ ...terminal, progress: false }], io);
  return io.stdout.text;
}

describe('terminal', () => {
  it('ends with the verdict in words, and says what was and was not tried', async () => {
    const text = await summaryOf(campaignEvents(heldShape));
    expect(text).to.match(
      /\nHeld against kills only: \d+ crashes, 0 violations; all 4 controls caught; power cuts were not tried\nseed 7 in 1 min 0 s; run \S+\n$/,
    );
    expect(text).to.contain('What was tried\n  - kill on folder: 13 targets');
    expect(text).to.match(
      /What was not tried\n {2}- snap under kill: .*\n.*or run as root\n {2}- cut on disk/,
    );
    expect(text).to.match(/What this run cannot say\n {2}- Only processes were killed/);
    expect(text).to.match(/redo\/bank +\d+ +\d+ +0 +\d+ +12 of 13 {2}held; violations ≤ \d\.\d %/);
    expect(text).to.match(/copy\.rename-first\/bank .*\n* +caught, as it should be/);
    expect(text).to.not.contain('Findings');
  });

  it('tells of each finding what broke, where, and how to see it again', async () => {
    const text = await summaryOf(campaignEvents(violatedShape));
    expect(text).to.match(
      /\n {2}1\. torn: .+\n(?: {5}\S.+\n)*? {5}journal\/kv, kill on folder · (?: {5}\S.+\n|.*\n)*? {5}plugpull replay \S+\/findings\/0001\n/,
    );
    expect(text).to.contain('Targets: cut on disk (xfs)');
    expect(text).to.match(/copy\/bank .* all [\d,]+\n +held with every subset of whole writes lost/);
    expect(text).to.match(/Violation: 2 targets broke the contract in \d+ of [\d,]+ crashes/);
  });

  it('shows how it was caught where nothing but controls was tried', async () => {
    const only = new Set(['run-started', 'target-started', 'trial', 'finding', 'target-ended', 'run-ended']);
    const hold = new Set<string>();
    const events = [...campaignEvents(heldShape)].filter((event) => {
      if (event.type === 'target-started' && event.target.expect === 'hold') hold.add(event.target.id);
      const id =
        event.type === 'target-started' ? event.target.id : 'target' in event ? event.target : undefined;
      return only.has(event.type) && (id === undefined || !hold.has(id));
    });
    const text = await summaryOf(events);
    expect(text).to.match(/How it was caught\n {2}\d+\. (?:torn|lost|broken)/);
    expect(text).to.match(/\nCaught: all 4 controls caught/);
  });

  it('writes one line for each violation where it must be quiet', async () => {
    const io = await rendered(campaignEvents(violatedShape), [{ kind: 'violations' }]);
    expect(io.stdout.text).to.equal('');
    const lines = io.stderr.text.trimEnd().split('\n');
    expect(lines[0]).to.match(/^plugpull replay \S+\/findings\/0001 {2}# torn: journal\/kv, kill on folder$/);
    for (const line of lines) expect(line).to.match(/^plugpull replay /);
  });

  it('shouts when a planted bug was not caught', async () => {
    const text = await summaryOf(
      campaignEvents({ ...heldShape, missedControls: ['copy+bug:copy.dir-not-synced'] }),
    );
    expect(text).to.contain('wrong on purpose, and NOT caught');
    expect(text).to.contain('Harness broken: this run proves nothing');
  });

  it('puts the summary on stderr where stdout is taken', async () => {
    const io = await rendered(campaignEvents(heldShape), [
      { kind: 'terminal', summaryOnStdout: false },
      { kind: 'json' },
    ]);
    expect(io.stderr.text).to.contain('What was not tried');
    expect(JSON.parse(io.stdout.text)).to.include({ schema: 'plugpull.report/1' });
  });

  it('fits its tables to the width, however narrow', async () => {
    for (const columns of [40, 60, 80, 120, 200]) {
      const text = await summaryOf(campaignEvents(violatedShape), columns);
      const table = text.split('\n').filter((line) => /^ {2}(?:redo|journal|copy|plain|target)/.test(line));
      expect(table.length).to.be.greaterThan(15);
      // Below this a table would lose its numbers; it is wider than the terminal then.
      for (const line of table) expect(line.length, line).to.be.at.most(Math.max(84, columns));
    }
  });

  it('writes no control characters and no escape sequences of others', async () => {
    const io = new FakeIo({}, { columns: 80 });
    io.pace = 100;
    await rendered(campaignEvents({ ...violatedShape, text: hostile }), [terminal], io);
    for (const { text } of [io.stdout, io.stderr]) {
      expect(text).to.not.match(control);
      expect(text).to.not.match(/^::/m);
    }
    const long = await summaryOf(campaignEvents({ ...violatedShape, text: () => 'x'.repeat(100_000) }));
    expect(long.length).to.be.lessThan(1_100_000);
  });

  it('off a terminal, writes a plain line every five seconds', async () => {
    const io = new FakeIo();
    io.pace = 50;
    await rendered(campaignEvents(heldShape), [terminal], io);
    const lines = io.stderr.text.trimEnd().split('\n');
    expect(io.stderr.text).to.not.match(control);
    expect(lines[0]).to.equal('plugpull 0.1.0: run 20260314-092653-7, seed 7');
    expect(lines[1]).to.match(/^warning: PAGEMAP_SCAN/);
    const progress = lines.slice(2);
    expect(progress).to.have.length(Math.floor(io.clock / 5000));
    for (const line of progress) {
      expect(line).to.match(
        /^\d+ s · \d+ crashes \(\d+\/s\) · 0 violations · \d of 4 controls caught · \S+$/,
      );
    }
  });

  it('on a terminal, rewrites one line within its width and clears it at the end', async () => {
    const io = new FakeIo({ NO_COLOR: '1' }, { tty: true, columns: 60 });
    io.pace = 30;
    await rendered(campaignEvents(heldShape), [{ ...terminal, summaryOnStdout: false }], io);
    const [before = '', ...rest] = io.stderr.text.split('\r\u001b[2K');
    expect(before.split('\n')).to.have.length(3);
    expect(rest.length).to.be.greaterThan(50);
    for (const line of rest.slice(0, -1)) expect(line).to.match(/^\S.{0,58}$/);
    expect(rest.at(-1)).to.match(/^\n/);
  });

  it('takes a terminal in CI for a log, and honours NO_COLOR and FORCE_COLOR', async () => {
    const escape = '\u001b[';
    const ci = await rendered(
      campaignEvents(heldShape),
      [terminal],
      new FakeIo({ CI: 'true', NO_COLOR: '1' }, { tty: true }),
    );
    expect(ci.stderr.text + ci.stdout.text).to.not.contain(escape);
    const coloured = await rendered(campaignEvents(heldShape), [terminal], new FakeIo({}, { tty: true }));
    expect(coloured.stdout.text).to.contain(`${escape}32m`);
    const forced = await rendered(campaignEvents(heldShape), [terminal], new FakeIo({ FORCE_COLOR: '1' }));
    expect(forced.stdout.text).to.contain(`${escape}32m`);
  });

  it('shows a violation at once, and names the files of other reports', async () => {
    const io = new FakeIo();
    const events = [...campaignEvents(violatedShape)].filter(({ type }) => type !== 'run-ended');
    await rendered(events, [{ kind: 'terminal', summaryOnStdout: true }], io);
    expect(io.stderr.text).to.match(/\njournal\/kv: torn: crashed .*\n {2}plugpull replay /);
    expect(io.stdout.text).to.contain('The log of this run has no end');
  });
});
