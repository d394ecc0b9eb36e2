import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import type { RunEvent } from '../../../harness/core/events.js';
import { jsonReport, jsonText } from '../../../reports/json.js';
import { jsonSchemaText, reportShape, type JsonReport } from '../../../reports/json-schema.js';
import { Summary } from '../../../reports/summary.js';
import { campaignEvents, heldShape, hostile, violatedShape } from '../../support/events.js';

function report(events: Iterable<RunEvent>): JsonReport {
  const summary = new Summary();
  for (const event of events) summary.on(event);
  // What is read back is what a consumer sees.
  return reportShape.parse(JSON.parse(jsonText(summary)));
}

describe('json', () => {
  it('is described by the published schema', () => {
    const published = readFileSync('docs/report.schema.json', 'utf8');
    expect(published, 'run `npx tsx reports/write-schema.ts`').to.equal(jsonSchemaText());
  });

  it('has the verdict, the counts and what was planted', () => {
    const held = report(campaignEvents(heldShape));
    expect(held).to.include({ schema: 'plugpull.report/1', verdict: 'held', exitCode: 0, complete: true });
    expect(held.counts.held).to.be.greaterThan(500);
    expect(held.planted).to.deep.equal({ planted: 4, caught: 4, missed: [] });
    expect(held.explored).to.deep.equal({ states: 0, of: 0, exhaustive: false });
    expect(held.findings.every(({ expected }) => expected)).to.equal(true);
    expect(held.rates.trialsPerSecond).to.be.greaterThan(5);
    expect(held.targets).to.have.length(13);
    expect(held.skipped).to.deep.include({
      what: 'cut on disk',
      reason: '/dev/fuse is missing',
      remedy: 'modprobe fuse',
    });
    expect(held.caveats.join()).to.contain('a missing flush could not be seen');
  });

  it('puts violations first, each with all that is needed to see it again', () => {
    const violated = report(campaignEvents(violatedShape));
    expect(violated.verdict).to.equal('violation');
    const [first] = violated.findings;
    expect(first?.expected).to.equal(false);
    const cut = violated.findings.find(({ fault }) => fault === 'cut');
    expect(cut).to.include({
      target: 'journal/bank',
      rig: 'disk',
      fs: 'xfs',
      verdict: 'lost',
      acked: 5,
      recovered: 4,
    });
    expect(cut?.bundle).to.match(/bundle\.plugpull$/);
    expect(cut?.replay).to.match(/^plugpull replay /);
    expect(violated.explored.states).to.be.greaterThan(1000);
    expect(violated.explored.of).to.be.greaterThan(violated.explored.states);
    expect(violated.explored.exhaustive).to.equal(false);
  });

  it('names a control that was not caught', () => {
    const broken = report(campaignEvents({ ...heldShape, missedControls: ['copy+bug:copy.dir-not-synced'] }));
    expect(broken.verdict).to.equal('harness-broken');
    expect(broken.planted).to.deep.include({ planted: 5, caught: 4 });
    expect(broken.planted.missed).to.deep.equal(['copy.dir-not-synced (kill on folder)']);
  });

  it('says of a run without an end that it is not complete, and gives no rate', () => {
    const open = report(campaignEvents({ ...heldShape, unfinished: true }));
    expect(open).to.include({ verdict: 'not-measured', exitCode: null, complete: false });
    expect(open.rates).to.deep.equal({ trialsPerSecond: null, statesPerSecond: null });
    expect(report([]).run).to.equal(null);
  });

  it('takes any text', () => {
    const text = report(campaignEvents({ ...violatedShape, text: hostile })).findings[0]?.explanation;
    expect(text).to.contain('<script>');
    const long = campaignEvents({ ...violatedShape, text: () => 'x'.repeat(100_000) });
    const summary = new Summary();
    for (const event of long) summary.on(event);
    expect(jsonReport(summary).findings[0]?.explanation).to.match(/^.{4000}… \(\d+,\d+ more characters\)$/);
  });
});
