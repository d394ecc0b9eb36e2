/** Markdown (GitHub's): for a step summary, a merge request or a release page. */
import { kindsOf, othersText, type Kind } from './kinds.js';
import type { Row } from './summary-row.js';
import type { Summary } from './summary.js';
import { clip, duration, grouped, oneLine, percent } from './text.js';
import {
  caveats,
  coverageText,
  explanationOf,
  headline,
  loosestBound,
  meaning,
  noteText,
  placeText,
  statesText,
  statusOf,
  triedSentences,
  verdictOf,
  whereText,
  type Status,
} from './words.js';

const longestText = 1_000;
const shownFindings = 20;

const marks: Record<Status, string> = {
  held: '✅',
  caught: '✅',
  violation: '❌',
  missed: '❌',
  unmeasured: '⚠️',
};
const verdictMarks = {
  held: '✅',
  violation: '❌',
  'not-measured': '⚠️',
  'harness-broken': '❌',
  unfinished: '⏳',
};

export function markdownReport(summary: Summary): string {
  const { run, ended } = summary;
  const about = [
    ...(run === null
      ? []
      : [`seed ${run.seed}`, `plugpull ${escapeMarkdown(run.version)}`, escapeMarkdown(run.run)]),
    ...(ended === null ? [] : [duration(ended.millis)]),
  ];
  const controls = summary.rows.filter(({ target }) => target.expect === 'caught');
  return [
    `## ${verdictMarks[verdictOf(summary)]} ${escapeMarkdown(headline(summary))}`,
    '',
    about.join(' · '),
    '',
    ...findings(kindsOf(summary.unexpectedFindings)),
    ...table('Targets', summary.subjects, summary),
    ...table('Wrong on purpose, must be caught', controls, summary),
    ...list('What was tried', triedSentences(summary).map(escapeMarkdown)),
    ...list('What was not tried', summary.skipped.map(skippedText)),
    ...list('Notes', summary.notes.map(noteText).map(escapeMarkdown)),
    ...list('What this run cannot say', caveats(summary).map(escapeMarkdown)),
  ].join('\n');
}

function findings(all: Kind[]): string[] {
  if (all.length === 0) return [];
  const shown = all
    .slice(0, shownFindings)
    .flatMap(({ shown: finding, others }) => [
      `- **${finding.verdict}** (finding ${finding.number}) – ${escapeMarkdown(explanationOf(finding))}  `,
      `  ${escapeMarkdown(whereText(finding))}  `,
      ...(finding.guest === undefined ? [] : [`  in a guest: ${escapeMarkdown(finding.guest)}  `]),
      ...optional(othersText({ shown: finding, others })),
      `  ${code(finding.replay)}`,
    ]);
  const left = all.length - shownFindings;
  const more = left > 0 ? ['', `… and ${grouped(left)} more kinds.`] : [];
  return ['### Findings', '', ...shown, ...more, ''];
}

function optional(text: string | null): string[] {
  return text === null ? [] : [`  ${escapeMarkdown(text)}  `];
}

function table(title: string, rows: Row[], summary: Summary): string[] {
  if (rows.length === 0) return [];
  return [
    `### ${title}`,
    '',
    '| | target | crash | crashes | held | violated | unmeasured | steps | states | at most (95 %) | what it means |',
    '|---|---|---|--:|--:|--:|--:|--:|--:|--:|---|',
    ...rows.map((row) => {
      const unmeasured = row.counts['not-measured'] + row.counts['harness-broken'];
      const cells = [
        marks[statusOf(row, summary)],
        code(row.target.id).replaceAll('|', '\\|'),
        escapeMarkdown(placeText(row.target)),
        grouped(row.crashes),
        grouped(row.counts.held),
        grouped(row.violations),
        grouped(unmeasured),
        coverageText(row) ?? '–',
        statesText(row) ?? '–',
        row.upperBound === null || row.upperBound > loosestBound ? '–' : percent(row.upperBound),
        escapeMarkdown(meaning(row, summary)),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
    '',
  ];
}

function list(title: string, items: string[]): string[] {
  return items.length === 0 ? [] : [`### ${title}`, '', ...items.map((item) => `- ${item}`), ''];
}

function skippedText({ what, reason, remedy }: Summary['skipped'][number]): string {
  return `**${escapeMarkdown(what)}**: ${escapeMarkdown(reason)}${remedy === undefined ? '' : ` – ${escapeMarkdown(remedy)}`}`;
}

/** One line in which nothing is markup. */
export function escapeMarkdown(text: string): string {
  return clip(oneLine(text), longestText)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/[\\`*_[\]|#~!]/g, '\\$&')
    .replace(/^(\d*)([-+.)])(?=\s)/, '$1\\$2')
    .replaceAll('@', '@\u200b')
    .replaceAll('://', ':\u200b//');
}

/** A code span that holds any text: its fence is longer than any run of backticks in it. */
function code(text: string): string {
  const line = clip(oneLine(text), longestText);
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const space = line.startsWith('`') || line.endsWith('`') ? ' ' : '';
  return `${fence}${space}${line}${space}${fence}`;
}
