/** The summary at the end of a run, as lines for a terminal. */
import { groupBy } from '../harness/core/group-by.js';
import { kindsOf, othersText, type Kind } from './kinds.js';
import type { Colour, Paint } from './paint.js';
import { settingOf } from './setting.js';
import type { Row } from './summary-row.js';
import type { Summary } from './summary.js';
import { clip, duration, grouped, oneLine, wrap } from './text.js';
import {
  caveats,
  coverageText,
  clausesOf,
  headline,
  meaning,
  statesText,
  statusOf,
  tablePlace,
  triedSentences,
  verdictOf,
  whereText,
  type Status,
} from './words.js';

export interface Look {
  paint: Paint;
  width: number;
}

const longestText = 600;
const longestClause = 600;
const mostClauses = 6;
const shownFindings = 10;
/** A column that explains is at least so wide, or gets a line of its own. */
const narrowest = 30;

const statusColours: Record<Status, Colour> = {
  held: 'green',
  caught: 'green',
  violation: 'red',
  missed: 'red',
  unmeasured: 'yellow',
};
const verdictColours = {
  held: 'green',
  violation: 'red',
  'not-measured': 'yellow',
  'harness-broken': 'red',
  unfinished: 'yellow',
} as const;

export function terminalSummary(summary: Summary, look: Look): string[] {
  const subjects = summary.subjects;
  const controls = summary.rows.filter(({ target }) => target.expect === 'caught');
  // A run of nothing but controls is there to see them caught.
  const [title, shown] =
    subjects.length > 0
      ? ['Findings', summary.unexpectedFindings]
      : ['How it was caught', summary.expectedFindings];
  return [
    ...table('Targets', subjects, summary, look),
    ...table('Wrong on purpose, must be caught', controls, summary, look),
    ...section('What was tried', triedSentences(summary), look),
    ...section('What was not tried', summary.skipped.map(skippedText), look),
    ...section('What this run cannot say', caveats(summary), look),
    ...findingLines(title, kindsOf(shown), look),
    look.paint(verdictColours[verdictOf(summary)], look.paint('bold', headlineText(summary))),
    ...seedLine(summary),
  ];
}

function headlineText(summary: Summary): string {
  return clip(oneLine(headline(summary)), longestText);
}

function seedLine({ run, ended }: Summary): string[] {
  if (run === null) return [];
  const time = ended === null ? '' : ` in ${duration(ended.millis)}`;
  return [`seed ${run.seed}${time}; run ${oneLine(run.run)}`];
}

function skippedText({ what, reason, remedy }: Summary['skipped'][number]): string {
  return `${what}: ${reason}${remedy === undefined ? '' : ` – ${remedy}`}`;
}

function section(title: string, items: string[], { paint, width }: Look): string[] {
  if (items.length === 0) return [];
  const lines = items.flatMap((item) =>
    wrap(clip(oneLine(item), longestText), width - 4).map((line, i) => `${i === 0 ? '  - ' : '    '}${line}`),
  );
  return [paint('bold', title), ...lines, ''];
}

/** Each kind of finding: what broke, where, where else, and how to see it again. */
function findingLines(title: string, kinds: Kind[], { paint, width }: Look): string[] {
  if (kinds.length === 0) return [];
  const lines = [paint('bold', title)];
  const indented = (text: string): string[] => wrap(text, width - 5).map((line) => `     ${line}`);
  for (const kind of kinds.slice(0, shownFindings)) {
    const { shown } = kind;
    const number = `  ${grouped(shown.number)}. `;
    const [what = '', ...clauses] = clausesOf(shown).map((clause) => clip(oneLine(clause), longestClause));
    const [first = '', ...more] = indented(`${shown.verdict}: ${what}`);
    const left = clauses.length - mostClauses;
    const told = [...clauses.slice(0, mostClauses), ...(left > 0 ? [`… and ${left} more`] : [])];
    const seen = told.flatMap((clause) =>
      wrap(clause, width - 7).map((line, i) => `     ${i === 0 ? '- ' : '  '}${line}`),
    );
    const others = othersText(kind);
    lines.push(
      number + first.trimStart().replace(shown.verdict, (verdict) => paint('red', verdict)),
      ...more,
      ...seen,
      ...indented(oneLine(whereText(shown))).map((line) => paint('dim', line)),
      ...(others === null ? [] : indented(oneLine(others))),
      `     ${paint('cyan', oneLine(shown.replay))}`,
    );
  }
  if (kinds.length > shownFindings)
    lines.push(`  … and ${grouped(kinds.length - shownFindings)} more kinds.`);
  return [...lines, ''];
}

interface Column {
  head: string;
  of: (row: Row) => string | null;
  right?: boolean;
}

const columns: Column[] = [
  { head: 'target', of: (row) => oneLine(row.target.id) },
  { head: 'guest', of: (row) => (settingOf(row.target) === null ? null : (row.target.fs ?? null)) },
  { head: 'crashes', of: (row) => grouped(row.crashes), right: true },
  { head: 'held', of: (row) => grouped(row.counts.held), right: true },
  { head: 'violated', of: (row) => grouped(row.violations), right: true },
  {
    head: 'unmeasured',
    of: (row) => grouped(row.counts['not-measured'] + row.counts['harness-broken']),
    right: true,
  },
  { head: 'steps', of: coverageText, right: true },
  { head: 'states', of: statesText, right: true },
];

/** A table for each fault and rig. */
function table(title: string, rows: Row[], summary: Summary, look: Look): string[] {
  return [...groupBy(rows, ({ target }) => tablePlace(target))].flatMap(([place, part]) => [
    look.paint('bold', `${title}: ${oneLine(place)}`),
    ...tableLines(part, summary, look),
    '',
  ]);
}

function tableLines(rows: Row[], summary: Summary, { paint, width }: Look): string[] {
  const used = columns.filter(({ of }) => rows.some((row) => of(row) !== null));
  const widths = used.map(({ head, of }) =>
    Math.max(head.length, ...rows.map((row) => (of(row) ?? '–').length)),
  );
  // The name gives way first.
  const others = widths.slice(1).reduce((sum, w) => sum + w + 2, 0);
  widths[0] = Math.min(widths[0] ?? 0, Math.max(16, width - others - 2));
  const left = widths.reduce((sum, w) => sum + w + 2, 2);
  const beside = width - left >= narrowest;
  const cells = (texts: string[]): string =>
    `  ${texts.map((text, i) => pad(text, widths[i] ?? 0, used[i]?.right === true)).join('  ')}`;
  const lines = [paint('dim', cells(used.map(({ head }) => head)) + (beside ? '  what it means' : ''))];
  for (const row of rows) {
    const text = clip(oneLine(meaning(row, summary)), 200);
    const colour = statusColours[statusOf(row, summary)];
    const line = cells(used.map(({ of }) => of(row) ?? '–'));
    const means = wrap(text, beside ? width - left : width - 6);
    if (beside) {
      lines.push(`${line}  ${paint(colour, means[0] ?? '')}`);
      lines.push(...means.slice(1).map((more) => `${' '.repeat(left)}${paint(colour, more)}`));
    } else {
      lines.push(line, ...means.map((more) => `      ${paint(colour, more)}`));
    }
  }
  return lines;
}

function pad(text: string, width: number, right: boolean): string {
  const cut = text.length > width ? `${text.slice(0, width - 1)}…` : text;
  return right ? cut.padStart(width) : cut.padEnd(width);
}
