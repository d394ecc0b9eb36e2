import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { renderLog } from '../../reports/from-log.js';
import { createReporters } from '../../reports/registry.js';
import { chromiumPath, launchChromium } from '../support/chromium.js';
import { campaignEvents, heldShape, hostile, violatedShape, type CampaignShape } from '../support/events.js';

const shapes: Record<string, CampaignShape> = {
  held: heldShape,
  violated: violatedShape,
  hostile: { ...violatedShape, text: hostile },
  long: { ...violatedShape, text: () => 'x'.repeat(100_000) },
  missed: { ...heldShape, missedControls: ['copy+bug:copy.dir-not-synced'] },
  unfinished: { ...heldShape, unfinished: true },
  empty: { trials: 0, sweep: false, backends: [] },
};

/** Runs in the page: each text with the contrast to what is behind it (WCAG 2, relative luminance). */
const contrasts = `(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const f = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = rgba(getComputedStyle(e).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== '');
    if (!own || !element.checkVisibility() || ['title', 'desc', 'SCRIPT', 'STYLE'].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const svg = element.namespaceURI.endsWith('svg');
    if (svg && style.fill === 'none') continue;
    // Signs lie on coloured bars, and are named beside them.
    if (svg && element.closest('[fill="var(--sign)"]')) continue;
    const [a, b] = [luminance(rgba(svg ? style.fill : style.color)), luminance(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push({ ratio, text: element.tagName + ' ' + element.textContent.slice(0, 40) });
  }
  return found;
})()`;

const charts = `[...document.querySelectorAll('figure.chart')].map((figure) => {
  const svg = [...figure.querySelectorAll('svg')].filter((one) => one.checkVisibility());
  const box = svg[0]?.getBoundingClientRect();
  const name = svg[0] && svg[0].getAttribute('aria-labelledby').split(' ').map((id) => document.getElementById(id).textContent);
  return { id: figure.id, drawings: svg.length, width: box?.width, height: box?.height, open: figure.checkVisibility(),
           marks: svg[0] ? svg[0].querySelectorAll('rect, path, circle, line').length : 0, name };
})`;

interface ChartSeen {
  id: string;
  drawings: number;
  width: number;
  height: number;
  open: boolean;
  marks: number;
  name: string[];
}

describe('HTML report in Chromium', function () {
  this.timeout(60_000);
  const executable = chromiumPath();
  let browser: Browser;
  let folder = '';

  before(async function () {
    if (executable === null) {
      if (this.test !== undefined)
        this.test.title = 'skipped: there is no chromium (apt-get install chromium)';
      this.skip();
    }
    browser = await launchChromium(executable);
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-html-'));
    for (const [name, shape] of Object.entries(shapes)) {
      const file = path.join(folder, `${name}.html`);
      await renderLog(campaignEvents(shape), createReporters([{ kind: 'html', file }]));
    }
  });

  after(async () => {
    if (executable === null) return;
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  /** Opens a report; whatever it asks for and whatever it complains about is a failure of the test. */
  async function look<T>(
    name: string,
    { width = 1280, scheme = 'light' as 'light' | 'dark' },
    seen: (page: Page) => Promise<T>,
  ): Promise<T> {
    const url = pathToFileURL(path.join(folder, `${name}.html`)).href;
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
    const trouble: string[] = [];
    page.on('request', (request) => {
      if (request.url().split('#')[0] !== url) trouble.push(`request: ${request.url().slice(0, 200)}`);
    });
    page.on('console', (message) => trouble.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => trouble.push(`error: ${error.message}`));
    page.on('dialog', (dialog) => {
      trouble.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    try {
      await page.goto(url, { waitUntil: 'load' });
      const result = await seen(page);
      expect(trouble).to.deep.equal([]);
      return result;
    } finally {
      await page.close();
    }
  }

  async function see(page: Page): Promise<ChartSeen[]> {
    return page.evaluate<ChartSeen[]>(charts);
  }

  for (const width of [390, 1280]) {
    for (const name of Object.keys(shapes)) {
      it(`${name}: loads nothing, complains of nothing and does not overflow at ${width} px`, async () => {
        await look(name, { width }, async (page) => {
          // Also with everything opened that can be opened.
          await page.evaluate(
            'for (const details of document.querySelectorAll("details")) details.open = true',
          );
          const [wide, inner] = await page.evaluate<[number, number]>(
            '[document.documentElement.scrollWidth, innerWidth]',
          );
          expect(wide).to.be.at.most(inner);
          for (const chart of await see(page)) {
            if (!chart.open) continue;
            expect(chart.drawings, chart.id).to.equal(1);
            expect(chart.width, chart.id).to.be.within(150, width);
            expect(chart.height, chart.id).to.be.greaterThan(40);
          }
        });
      });
    }
  }

  it('says the verdict first, in words', async () => {
    const banner = (page: Page): Promise<string> => page.innerText('.banner');
    expect(await look('held', {}, banner)).to.match(
      /^Held against kills only\s+[\d,]+ crashes, 0 violations; all 4 controls caught/,
    );
    expect(await look('violated', {}, banner)).to.match(/^Violation\s+2 targets broke the contract/);
    expect(await look('missed', {}, banner)).to.match(/^Harness broken\s+This run proves nothing/);
    expect(await look('unfinished', {}, banner)).to.match(/^Unfinished/);
  });

  it('has every chart, drawn and named', async () => {
    const seen = await look('violated', {}, see);
    const ids = seen.map(({ id }) => id);
    expect(ids).to.include.members([
      'over-trials',
      'targets-compared',
      'recovery-histogram',
      'recovery-by-target',
    ]);
    expect(ids.filter((id) => id.startsWith('protocol-'))).to.have.length(6);
    expect(ids.filter((id) => id.startsWith('timeline-'))).to.have.length(1);
    for (const { id, marks, name } of seen) {
      expect(marks, id).to.be.greaterThan(5);
      expect(name.join(' ').length, id).to.be.greaterThan(20);
    }
    expect((await look('empty', {}, see)).length).to.equal(0);
  });

  it('shows in the protocol which steps were never met', async () => {
    const text = await look('held', {}, (page) => page.innerText('#protocol-0'));
    expect(text).to.contain('12 of 13 named steps met');
    expect(await look('held', {}, (page) => page.textContent('#protocol-0 .wide svg'))).to.contain('never');
  });

  it('shows the operations before a cut with their fates', async () => {
    await look('violated', {}, async (page) => {
      const figure = page.locator('[id^="timeline-"]').first();
      expect(await figure.locator('figcaption').innerText()).to.contain(
        'At the cut: 3 durable, 2 kept, 1 torn, 1 lost',
      );
      await figure.locator('summary').press('Enter');
      expect(await figure.locator('tbody tr').count()).to.equal(12);
      expect(await figure.locator('tbody tr', { hasText: 'page 17' }).innerText()).to.contain('lost');
    });
  });

  it('copies the command that shows a finding again', async () => {
    await look('violated', {}, async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await page.locator('.replay button').first().click();
      await page.locator('.replay button', { hasText: /Copied|Selected/ }).waitFor();
      expect(await page.locator('.replay code').first().innerText()).to.match(
        /^plugpull replay \S+\/findings\/0001$/,
      );
    });
  });

  it('runs no script of others, and shows hostile texts as text', async () => {
    await look('hostile', {}, async (page) => {
      expect(await page.locator('script').count()).to.equal(1);
      expect(await page.locator('main img').count()).to.equal(0);
      expect(await page.locator('.what').first().innerText()).to.contain('<script>alert("x")</script>');
    });
  });

  for (const scheme of ['light', 'dark'] as const) {
    it(`is readable in ${scheme} mode: every text has a contrast of 4.5 or more`, async () => {
      for (const name of ['held', 'violated', 'missed', 'unfinished']) {
        const texts = await look(name, { scheme }, (page) =>
          page.evaluate<{ ratio: number; text: string }[]>(contrasts),
        );
        expect(texts.length).to.be.greaterThan(150);
        expect(texts.filter(({ ratio }) => ratio < 4.5)).to.deep.equal([]);
      }
    });
  }

  it('prints', async () => {
    await look('violated', { scheme: 'dark' }, async (page) => {
      await page.emulateMedia({ media: 'print', colorScheme: 'light' });
      expect(await page.locator('nav').isVisible()).to.equal(false);
      expect((await page.pdf({ format: 'A4' })).length).to.be.greaterThan(20_000);
    });
  });
});
