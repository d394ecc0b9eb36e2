import { expect } from 'chai';
import { parseHTML } from 'linkedom';
import type { RunEvent, TimelineEntry } from '../../../harness/core/events.js';
import { htmlReport } from '../../../reports/html/report.js';
import { escapeHtml, markup } from '../../../reports/html/markup.js';
import { Summary } from '../../../reports/summary.js';
import { diskTimelineFixture } from '../../support/event-parts.js';
import { campaignEvents, hostile, violatedShape } from '../../support/events.js';

interface Element {
  querySelectorAll(selector: string): Iterable<Element>;
  querySelector(selector: string): Element | null;
  getAttribute(name: string): string | null;
  textContent: string;
}

function page(events: Iterable<RunEvent>): { text: string; document: Element } {
  const summary = new Summary();
  for (const event of events) summary.on(event);
  const text = htmlReport(summary);
  return { text, document: (parseHTML(text) as unknown as { document: Element }).document };
}

function* withTimeline(timeline: TimelineEntry[]): Generator<RunEvent> {
  for (const event of campaignEvents({ ...violatedShape, trials: 5 })) {
    yield event.type === 'finding' && event.timeline !== undefined ? { ...event, timeline } : event;
  }
}

describe('markup', () => {
  it('escapes whatever is put in, once', () => {
    const inner = markup`<b>${'<i>&"\''}</b>`;
    expect(markup`<p title="${'"x"'}">${inner}${[inner, 1, null]}</p>`.text).to.equal(
      '<p title="&quot;x&quot;"><b>&lt;i&gt;&amp;&quot;&#39;</b><b>&lt;i&gt;&amp;&quot;&#39;</b>1</p>',
    );
    expect(escapeHtml('\u0000\u001b\u202e\ud800')).to.equal('\u2400\u241b\ufffd\ufffd');
  });
});

describe('HTML report', () => {
  it('refers to nothing outside, and forbids it', () => {
    const { text, document } = page(campaignEvents({ ...violatedShape, text: hostile }));
    const policy = document
      .querySelector('meta[http-equiv="Content-Security-Policy"]')
      ?.getAttribute('content');
    expect(policy).to.match(/^default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[\w+/=]+'; /);
    expect([
      ...document.querySelectorAll('link, img, iframe, object, embed, [src], [srcset]'),
    ]).to.have.length(0);
    const links = [...document.querySelectorAll('[href]')].map((one) => one.getAttribute('href'));
    expect(links.every((link) => link?.startsWith('#'))).to.equal(true);
    expect(text).to.not.match(/url\(|@import/);
    expect([...document.querySelectorAll('[onerror], [onload], [onclick]')]).to.have.length(0);
  });

  it('is accessible: one h1, tables with headers, pictures with names, ids that are unique', () => {
    const { document } = page(campaignEvents(violatedShape));
    expect([...document.querySelectorAll('h1')]).to.have.length(1);
    for (const table of document.querySelectorAll('table')) {
      expect(table.querySelector('caption')?.textContent).to.not.equal('');
      expect([...table.querySelectorAll('thead th[scope=col]')].length).to.be.greaterThan(1);
    }
    const ids = [...document.querySelectorAll('[id]')].map((one) => one.getAttribute('id') ?? '');
    expect(new Set(ids).size).to.equal(ids.length);
    for (const svg of document.querySelectorAll('svg[role=img]')) {
      const names = svg.getAttribute('aria-labelledby')?.split(' ') ?? [];
      expect(names).to.have.length(2);
      for (const name of names) expect(ids).to.include(name);
    }
  });

  it('shows writes that belong to no file, and flushes of a whole device', () => {
    const { document } = page(withTimeline(diskTimelineFixture()));
    const figure = document.querySelector('[id^="timeline-"]');
    expect(figure?.querySelector('.wide svg')?.textContent).to.contain('file system');
    expect(figure?.querySelector('figcaption')?.textContent).to.contain('At the cut: 1 kept, 1 lost.');
  });

  it('shows a cut at which nothing was pending, and leaves out the far past', () => {
    const only = page(withTimeline([{ kind: 'cut', label: 'power cut' }])).document;
    expect(only.querySelector('[id^="timeline-"] figcaption')?.textContent).to.contain('nothing was pending');
    const long = Array.from({ length: 5000 }, (_, i): TimelineEntry => ({
      kind: 'ack',
      label: `commit ${i} acked`,
    }));
    const { document } = page(withTimeline([...long, { kind: 'cut', label: 'power cut' }]));
    const rows = [...document.querySelectorAll('[id^="timeline-"] tbody tr')];
    expect(rows).to.have.length(160);
    expect(rows.at(-1)?.textContent).to.contain('power cut');
  });

  it('stays within a few megabytes however much there is to tell', () => {
    const workloads = Array.from({ length: 200 }, (_, i) => `workload-${i}`);
    const text = (plain: string): string => (plain.startsWith('plugpull') ? plain : 'x'.repeat(20_000));
    const broken = Object.fromEntries(workloads.map((workload) => [`redo/${workload}`, 50]));
    const { text: html } = page(
      campaignEvents({ workloads, trials: 3, sweep: false, text, violated: broken }),
    );
    expect(html.length).to.be.within(500_000, 4_000_000);
  });
});
