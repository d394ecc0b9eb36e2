import { expect } from 'chai';
import { DOMParser } from 'linkedom';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { RunEvent } from '../../../harness/core/events.js';
import { escapeXml, junitXml } from '../../../reports/junit.js';
import { Summary } from '../../../reports/summary.js';
import { campaignEvents, heldShape, hostile, violatedShape } from '../../support/events.js';
import { rendered } from './support.js';

interface Element {
  getAttribute(name: string): string | null;
  querySelectorAll(selector: string): Element[];
  querySelector(selector: string): Element | null;
  textContent: string;
}

function parse(xml: string): Element {
  return new DOMParser().parseFromString(xml, 'text/xml') as unknown as Element;
}

function xmlOf(events: Iterable<RunEvent>): string {
  const summary = new Summary();
  for (const event of events) summary.on(event);
  return junitXml(summary);
}

function junit(events: Iterable<RunEvent>): Element {
  return parse(xmlOf(events));
}

/** A second, stricter parser, where Debian's Python is there. */
function wellFormed(xml: string): boolean | null {
  const script = 'import sys,xml.etree.ElementTree as e;e.fromstring(sys.stdin.buffer.read())';
  try {
    execFileSync('python3', ['-c', script], { input: xml, stdio: ['pipe', 'ignore', 'pipe'] });
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : false;
  }
}

describe('junit', () => {
  it('has a suite for each target and a case for each way to crash', () => {
    const doc = junit(campaignEvents(violatedShape));
    const names = [...doc.querySelectorAll('testsuite')].map((suite) => suite.getAttribute('name'));
    expect(names.slice(0, 9)).to.include.members(['redo/bank', 'journal/kv', 'copy/queue']);
    expect(names.slice(9)).to.deep.equal(['controls (wrong on purpose)', 'not tried']);
    const bank = doc.querySelector('testsuite[name="journal/bank"]');
    const cases = [...(bank?.querySelectorAll('testcase') ?? [])].map((one) => one.getAttribute('name'));
    expect(cases).to.deep.equal([
      'kill on folder',
      'cut on disk (ext4)',
      'cut on disk (xfs)',
      'cut on disk (btrfs)',
    ]);
  });

  it('fails the cases that were violated, with replay lines, and adds up', () => {
    const doc = junit(campaignEvents(violatedShape));
    const failures = [...doc.querySelectorAll('failure')];
    expect(failures).to.have.length(2);
    expect(failures.map((one) => one.getAttribute('type'))).to.have.members(['torn', 'lost']);
    for (const failure of failures) expect(failure.textContent).to.contain('plugpull replay ');
    const root = doc.querySelector('testsuites');
    const all = doc.querySelectorAll('testcase').length;
    expect(root?.getAttribute('tests')).to.equal(String(all));
    expect(root?.getAttribute('failures')).to.equal('2');
    expect(root?.getAttribute('skipped')).to.equal('2');
  });

  it('passes controls that were caught, and fails those that were not', () => {
    expect([...junit(campaignEvents(heldShape)).querySelectorAll('failure')]).to.have.length(0);
    const doc = junit(campaignEvents({ ...heldShape, missedControls: ['copy+bug:copy.dir-not-synced'] }));
    const [failure, ...others] = [...doc.querySelectorAll('failure')];
    expect(others).to.have.length(0);
    expect(failure?.getAttribute('type')).to.equal('control-not-caught');
    expect(failure?.getAttribute('message')).to.match(
      /^copy\.dir-not-synced .* was not caught in \d+ crashes$/,
    );
  });

  it('skips by name what was not tried, and what measured nothing', () => {
    const doc = junit(campaignEvents({ trials: 0, sweep: false }));
    const skipped = [...doc.querySelectorAll('testsuite[name="not tried"] skipped')];
    expect(skipped.map((one) => one.getAttribute('message'))).to.include(
      '/dev/fuse is missing – modprobe fuse',
    );
    expect([...doc.querySelectorAll('testsuite[name="redo/bank"] skipped')]).to.have.length(1);
  });

  it('turns a failure of the harness into an error', () => {
    const events = [...campaignEvents({ trials: 2 })].map((event): RunEvent =>
      event.type === 'trial' ? { ...event, verdict: 'harness-broken', reason: 'no fork' } : event,
    );
    const errors = [...junit(events).querySelectorAll('testsuite[name="redo/bank"] error')];
    expect(errors[0]?.getAttribute('message')).to.match(/plugpull itself failed in \d+ trials: no fork/);
  });

  it('is well-formed whatever the texts are', () => {
    for (const text of [hostile, (): string => '\u0000]]>\ufffe\udc00"\'<&'.repeat(20_000)]) {
      const xml = xmlOf(campaignEvents({ ...violatedShape, text }));
      expect(wellFormed(xml)).to.not.equal(false);
      expect([...parse(xml).querySelectorAll('testcase')]).to.have.length(22);
      expect([...parse(xml).querySelectorAll('script')]).to.have.length(0);
    }
    expect(escapeXml('a\u001b[31m\ud800b')).to.equal('a\\u{1b}[31m\ufffdb');
  });

  it('writes a file in one piece, in folders that it makes', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-report-'));
    try {
      const file = path.join(folder, 'new', 'junit.xml');
      await rendered(campaignEvents(heldShape), [{ kind: 'junit', file }]);
      expect(readFileSync(file, 'utf8')).to.match(/^<\?xml .*<\/testsuites>\n$/s);
      let refused: unknown = null;
      await rendered(campaignEvents(heldShape), [
        { kind: 'junit', file: path.join(file, 'below-a-file') },
      ]).catch((error: unknown) => (refused = error));
      expect(refused).to.have.property('message').that.contains('cannot write the report');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
