import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { RunEvent } from '../../../harness/core/events.js';
import { annotations } from '../../../reports/github.js';
import { escapeMarkdown, markdownReport } from '../../../reports/markdown.js';
import { Summary } from '../../../reports/summary.js';
import { campaignEvents, heldShape, hostile, violatedShape } from '../../support/events.js';
import { FakeIo, rendered } from './support.js';

function summarized(events: Iterable<RunEvent>): Summary {
  const summary = new Summary();
  for (const event of events) summary.on(event);
  return summary;
}

describe('markdown', () => {
  it('has the verdict, the findings, a table of targets, and what was not tried', () => {
    const text = markdownReport(summarized(campaignEvents(violatedShape)));
    expect(text).to.match(/^## ❌ Violation: 2 targets broke the contract/);
    expect(text).to.contain('| ❌ | `journal/kv` | kill on folder |');
    expect(text).to.contain('| ✅ | `copy/bank` | cut on disk (xfs) |');
    expect(text).to.match(
      /- \*\*torn\*\* \(finding 1\) – .*\n {2}journal\/kv, kill on folder .*\n {2}the same: findings .*\n {2}`plugpull replay /,
    );
    expect(text).to.contain('- **cut on disk**: /dev/fuse is missing – modprobe fuse');
    expect(markdownReport(summarized(campaignEvents(heldShape)))).to.match(/^## ✅ Held/);
  });

  it('keeps each row in one line with the same number of cells, whatever the texts are', () => {
    const text = markdownReport(summarized(campaignEvents({ ...violatedShape, text: hostile })));
    const rows = text.split('\n').filter((line) => line.startsWith('|'));
    expect(rows.length).to.be.greaterThan(20);
    for (const row of rows) expect(row.replace(/\\\|/g, '').split('|')).to.have.length(13);
    expect(text).to.not.match(/^# Heading/m);
    const outsideCode = text.replace(/\\`/g, '').replace(/(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)/g, '');
    expect(outsideCode).to.not.match(/<script|<img|(?<!\\)\]\(http/);
  });

  it('leaves no markup, no link and no mention in a text', () => {
    expect(escapeMarkdown('a|b *c* _d_ `e` [f](http://g) <h> @i #1')).to.equal(
      'a\\|b \\*c\\* \\_d\\_ \\`e\\` \\[f\\](http:\u200b//g) &lt;h&gt; @\u200bi \\#1',
    );
    expect(escapeMarkdown('1. not a list')).to.equal('1\\. not a list');
  });
});

describe('github', () => {
  it('annotates each finding with what, where and how to see it again', () => {
    const lines = annotations(summarized(campaignEvents(violatedShape)))
      .trimEnd()
      .split('\n');
    expect(lines[0]).to.match(
      /^::error title=torn%3A journal\/kv::torn: crashed .*%0Ajournal\/kv, kill .*%0Athe same: .*%0ASee it again: plugpull/,
    );
    // One for each kind of finding, and the verdict.
    expect(lines.filter((line) => line.startsWith('::error'))).to.have.length(4);
    expect(lines[0]).to.contain('%0Athe same: findings ');
    expect(lines.filter((line) => line.startsWith('::warning'))).to.have.length(3);
    expect(lines.at(-1)).to.match(/^::error title=plugpull::Violation: /);
    const held = annotations(summarized(campaignEvents(heldShape)))
      .trimEnd()
      .split('\n');
    expect(held.at(-1)).to.match(/^::notice title=plugpull::Held against kills only: /);
    expect(held.filter((line) => line.startsWith('::error'))).to.have.length(0);
  });

  it('stays within ten errors, and an uncaught control is one', () => {
    const workloads = Array.from({ length: 12 }, (_, i) => `w${i}`);
    const violated = Object.fromEntries(workloads.map((workload) => [`journal/${workload}`, 60]));
    const many = summarized(campaignEvents({ ...violatedShape, workloads, violated }));
    expect(annotations(many).match(/^::error/gm)).to.have.length(10);
    const missed = summarized(
      campaignEvents({ ...heldShape, missedControls: ['copy+bug:copy.dir-not-synced'] }),
    );
    expect(annotations(missed)).to.match(
      /^::error title=A planted bug was not caught::copy\.dir-not-synced/m,
    );
  });

  it('cannot be made to write another command', () => {
    const text = annotations(summarized(campaignEvents({ ...violatedShape, text: hostile })));
    for (const line of text.trimEnd().split('\n')) {
      expect(line).to.match(/^::(?:error|warning|notice) title=[^:,]*::/);
      // eslint-disable-next-line no-control-regex -- that is what must not be there
      expect(line).to.not.match(/[\u0000-\u001f\u007f-\u009f]|%(?!25|0A|0D|3A|2C)/);
    }
    expect(text).to.contain('%250A');
  });

  it('writes annotations to stderr and appends the Markdown to the step summary, within its limit', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-report-'));
    try {
      const file = path.join(folder, 'summary.md');
      writeFileSync(file, 'before\n');
      const io = await rendered(
        campaignEvents(heldShape),
        [{ kind: 'github' }, { kind: 'json' }],
        new FakeIo({ GITHUB_STEP_SUMMARY: file }),
      );
      expect(readFileSync(file, 'utf8')).to.match(/^before\n## ✅ Held/);
      expect(io.stderr.text).to.contain('::notice');
      expect(JSON.parse(io.stdout.text)).to.include({ verdict: 'held' });
      const workloads = Array.from({ length: 3000 }, (_, i) => `workload-with-a-long-name-${i}`);
      const big = new FakeIo({ GITHUB_STEP_SUMMARY: file });
      writeFileSync(file, '');
      await rendered(campaignEvents({ trials: 1, sweep: false, workloads }), [{ kind: 'github' }], big);
      const text = readFileSync(file);
      expect(text.length).to.be.within(900_000, 1_048_576);
      expect(text.toString()).to.match(/GitHub takes no more than this\.\n$/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
