/** GitHub Actions: annotations for what went wrong, and the Markdown report as the step's summary. */
import { appendFileSync } from 'node:fs';
import { kindsOf, othersText } from './kinds.js';
import { markdownReport } from './markdown.js';
import type { Summary } from './summary.js';
import { clip, wellFormed } from './text.js';
import { headline, verdictOf, whereText } from './words.js';

/** GitHub shows ten annotations of a kind in a step. */
const mostOfAKind = 10;
const longestMessage = 4_000;
/** GitHub refuses a summary above 1 MiB altogether. */
const summaryBytes = 1_000_000;

export function annotations(summary: Summary): string {
  const missed = summary.controls.filter(({ caught }) => !caught);
  const errors = [
    ...kindsOf(summary.unexpectedFindings).map(({ shown: finding, others }) =>
      command('error', `${finding.verdict}: ${finding.target}`, [
        finding.explanation,
        whereText(finding),
        ...(others.length === 0 ? [] : [othersText({ shown: finding, others }) ?? '']),
        `See it again: ${finding.replay}`,
      ]),
    ),
    ...missed.map(({ name }) =>
      command('error', 'A planted bug was not caught', [
        `${name} is wrong on purpose, and this run did not see it.`,
      ]),
    ),
  ];
  const warnings = [
    ...summary.skipped.map(({ what, reason, remedy }) =>
      command('warning', `Not tried: ${what}`, [reason, ...(remedy === undefined ? [] : [remedy])]),
    ),
    ...summary.notes
      .filter(({ level }) => level === 'warning')
      .map(({ text }) => command('warning', 'plugpull', [text])),
  ];
  const held = verdictOf(summary) === 'held';
  return [
    ...errors.slice(0, mostOfAKind - 1),
    ...warnings.slice(0, mostOfAKind),
    command(held ? 'notice' : 'error', 'plugpull', [headline(summary)]),
    '',
  ].join('\n');
}

/** Appends the Markdown report to `$GITHUB_STEP_SUMMARY`, if the runner offers one. */
export function writeStepSummary(summary: Summary, env: Record<string, string | undefined>): void {
  const file = env.GITHUB_STEP_SUMMARY;
  if (file === undefined || file === '') return;
  appendFileSync(file, withinBytes(markdownReport(summary)));
}

function withinBytes(markdown: string): string {
  if (Buffer.byteLength(markdown) <= summaryBytes) return markdown;
  const lines: string[] = [];
  let bytes = 0;
  for (const line of markdown.split('\n')) {
    bytes += Buffer.byteLength(line) + 1;
    if (bytes > summaryBytes) break;
    lines.push(line);
  }
  return `${lines.join('\n')}\n\nThe report goes on; GitHub takes no more than this.\n`;
}

function command(kind: 'error' | 'warning' | 'notice', title: string, lines: string[]): string {
  const message = lines.map((line) => clip(line, longestMessage)).join('\n');
  return `::${kind} title=${escapeProperty(clip(title, 200))}::${escapeData(message)}`;
}

/** The escapes of the runner's command language; other control characters are left out. */
function escapeData(text: string): string {
  return (
    wellFormed(text)
      // eslint-disable-next-line no-control-regex -- logs must not be steered
      .replace(/[\u0000-\u0009\u000B\u000C\u000E-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g, '')
      .replaceAll('%', '%25')
      .replaceAll('\r', '%0D')
      .replaceAll('\n', '%0A')
  );
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
