/**
 * JUnit XML: a suite for each target, a case for each fault, rig and file system. A control is a case
 * too, and fails if nothing caught it; what was not tried is a skipped case.
 */
import type { FindingEvent } from '../harness/core/events.js';
import type { Row } from './summary-row.js';
import type { Control, Summary } from './summary.js';
import { clip, grouped, wellFormed } from './text.js';
import {
  caveats,
  coverageText,
  headline,
  meaning,
  noteText,
  placeText,
  statesText,
  whereText,
} from './words.js';

interface Case {
  name: string;
  seconds: number;
  /** At most one of them. */
  problem?: { element: 'failure' | 'error' | 'skipped'; message: string; type?: string; body?: string };
  output?: string;
}

interface Suite {
  name: string;
  cases: Case[];
}

const longestMessage = 500;
const findingsInBody = 20;

export function junitXml(summary: Summary): string {
  const suites = [...targetSuites(summary), ...controlSuites(summary), ...skippedSuite(summary)];
  const all = suites.flatMap(({ cases }) => cases);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'plugpull', ...totals(all) })}>`,
    ...suites.flatMap((suite) => suiteLines(suite, summary)),
    '</testsuites>',
    '',
  ].join('\n');
}

function targetSuites(summary: Summary): Suite[] {
  const suites = new Map<string, Suite>();
  for (const row of summary.subjects) {
    const suite = suites.get(row.target.id) ?? { name: row.target.id, cases: [] };
    suite.cases.push(subjectCase(row, summary));
    suites.set(row.target.id, suite);
  }
  return [...suites.values()];
}

function subjectCase(row: Row, summary: Summary): Case {
  const { target } = row;
  const common: Case = {
    name: placeText(target),
    seconds: row.millis / 1000,
    output: outputOf(row, summary),
  };
  if (row.violations > 0) {
    const findings = summary.findings.filter((finding) => belongs(finding, row));
    const body = findings.slice(0, findingsInBody).map(findingText).join('\n\n');
    const type = findings[0]?.verdict ?? 'violation';
    return { ...common, problem: { element: 'failure', message: meaning(row, summary), type, body } };
  }
  const broken = row.counts['harness-broken'];
  if (broken > 0) {
    const message = `plugpull itself failed in ${grouped(broken)} trials: ${row.reasons.get('harness-broken') ?? ''}`;
    return { ...common, problem: { element: 'error', message, type: 'harness-broken' } };
  }
  if (row.counts.held === 0) {
    return { ...common, problem: { element: 'skipped', message: meaning(row, summary) } };
  }
  return common;
}

function belongs(finding: FindingEvent, { target }: Row): boolean {
  const same = finding.target === target.id && finding.fault === target.fault && finding.rig === target.rig;
  return same && (finding.fs === undefined || finding.fs === target.fs);
}

function findingText(finding: FindingEvent): string {
  const guest = finding.guest === undefined ? '' : `\n   in a guest: ${finding.guest}`;
  return `${finding.number}. ${finding.explanation}\n   ${whereText(finding)}${guest}\n   ${finding.replay}`;
}

function outputOf(row: Row, summary: Summary): string {
  const steps = coverageText(row);
  const states = statesText(row);
  return [
    meaning(row, summary),
    `crashes: ${grouped(row.crashes)}, not measured: ${grouped(row.counts['not-measured'])}`,
    ...(steps === null ? [] : [`named steps at which a crash fell: ${steps}`]),
    ...(states === null ? [] : [`crash states: ${states}`]),
  ].join('\n');
}

function controlSuites(summary: Summary): Suite[] {
  const cases = summary.controls.map((control): Case => {
    const seconds = control.rows.reduce((sum, { millis }) => sum + millis, 0) / 1000;
    const base = { name: `caught: ${control.name}`, seconds };
    if (control.caught) return base;
    const tried = control.rows.reduce((sum, { crashes }) => sum + crashes, 0);
    const message = `${control.name} is wrong on purpose and was not caught in ${grouped(tried)} crashes`;
    return {
      ...base,
      problem: { element: 'failure', message, type: 'control-not-caught', body: targetsOf(control) },
    };
  });
  return cases.length === 0 ? [] : [{ name: 'controls (wrong on purpose)', cases }];
}

function targetsOf({ rows }: Control): string {
  return rows.map(({ target, crashes }) => `${target.id}: ${grouped(crashes)} crashes`).join('\n');
}

function skippedSuite({ skipped }: Summary): Suite[] {
  if (skipped.length === 0) return [];
  const cases = skipped.map(({ what, reason, remedy }): Case => {
    const message = remedy === undefined ? reason : `${reason} – ${remedy}`;
    return { name: what, seconds: 0, problem: { element: 'skipped', message } };
  });
  return [{ name: 'not tried', cases }];
}

function suiteLines({ name, cases }: Suite, summary: Summary): string[] {
  const timestamp = summary.run === null ? {} : { timestamp: summary.run.at.replace(/\.\d+Z$/, '') };
  return [
    `  <testsuite${attributes({ name, ...totals(cases), ...timestamp })}>`,
    '    <properties>',
    ...properties(summary).map(([key, value]) => `      <property${attributes({ name: key, value })}/>`),
    '    </properties>',
    ...cases.flatMap((one) => caseLines(one, name)),
    '  </testsuite>',
  ];
}

function properties(summary: Summary): [string, string][] {
  return [
    ['headline', headline(summary)],
    ...(summary.run === null ? [] : [['seed', String(summary.run.seed)] as [string, string]]),
    ...caveats(summary).map((text, i): [string, string] => [`caveat.${i + 1}`, text]),
    ...summary.notes.map((note, i): [string, string] => [`note.${i + 1}`, noteText(note)]),
  ];
}

function caseLines({ name, seconds, problem, output }: Case, suite: string): string[] {
  const open = `    <testcase${attributes({ name, classname: `plugpull.${suite}`, time: seconds.toFixed(3) })}`;
  const inside: string[] = [];
  if (problem !== undefined) {
    const { element, message, type, body = '' } = problem;
    const written = attributes({
      message: clip(message, longestMessage),
      ...(type === undefined ? {} : { type }),
    });
    inside.push(`      <${element}${written}>${escapeXml(body)}</${element}>`);
  }
  if (output !== undefined) inside.push(`      <system-out>${escapeXml(output)}</system-out>`);
  return inside.length === 0 ? [`${open}/>`] : [`${open}>`, ...inside, '    </testcase>'];
}

function totals(cases: Case[]): Record<string, string> {
  const count = (element: string): string =>
    String(cases.filter(({ problem }) => problem?.element === element).length);
  return {
    tests: String(cases.length),
    failures: count('failure'),
    errors: count('error'),
    skipped: count('skipped'),
    time: cases.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(3),
  };
}

function attributes(values: Record<string, string>): string {
  return Object.entries(values)
    .map(
      ([key, value]) => ` ${key}="${escapeXml(value).replaceAll('"', '&quot;').replaceAll('\n', '&#10;')}"`,
    )
    .join('');
}

/** Escapes for text and attributes; what XML 1.0 cannot hold at all is written out as `\u{…}`. */
export function escapeXml(text: string): string {
  return (
    wellFormed(text)
      // eslint-disable-next-line no-control-regex -- that is what XML cannot hold
      .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\uFFFE\uFFFF]/g, (character) => {
        return `\\u{${character.charCodeAt(0).toString(16)}}`;
      })
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('\r', '&#13;')
  );
}
