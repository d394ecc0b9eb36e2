/** Verdicts beside each other: backends by workloads, and guests by what their disks lost. */
import { groupBy } from '../../harness/core/group-by.js';
import { settingOf } from '../setting.js';
import type { Row } from '../summary-row.js';
import type { Summary } from '../summary.js';
import { grouped, plural } from '../text.js';
import { placeText, statusOf, violationList } from '../words.js';
import { markup, type Html } from './markup.js';
import { heldHere, pill } from './pill.js';
import { table } from './table.js';

interface Matrix {
  title: string;
  lead?: string;
  caption: string;
  /** What its rows are. */
  corner: string;
  /** Where a row of the report stands. */
  line: (row: Row) => string;
  column: (row: Row) => string;
  cell: (row: Row) => Html;
}

/** Backends by workloads, for each way to crash where there are several of both. */
export function backendMatrices(rows: Row[], summary: Summary): Html[] {
  const named = rows.filter(({ target }) => target.backend !== undefined && target.workload !== undefined);
  return [...groupBy(named, ({ target }) => placeText(target))].flatMap(([place, among]) =>
    matrix(among, {
      title: place,
      caption: `Verdicts by backend and workload: ${place}`,
      corner: 'backend',
      line: ({ target }) => target.backend ?? '',
      column: ({ target }) => target.workload ?? '',
      cell: (row) => {
        const status = statusOf(row, summary);
        const detail = status === 'violation' ? violationList(row) : plural(row.crashes, 'crash', 'crashes');
        return cellOf(pill(status), detail);
      },
    }),
  );
}

const modeMeanings: Record<string, string> = {
  kept: 'kept: the disk keeps all that it was sent, as when QEMU is killed and no more',
  volatile: 'volatile: what was not flushed is lost, or a part of it',
  log: 'log: the same at many moments of one run, state by state',
};

/** File systems and kernels of guests by what their disks lost: what killing QEMU alone misses is seen in its first column. */
export function guestMatrices(rows: Row[]): Html[] {
  const guests = rows.filter(({ target }) => settingOf(target) !== null);
  const mode = ({ target }: Row): string => settingOf(target)?.mode ?? '';
  return [...groupBy(guests, ({ target }) => target.id)].flatMap(([id, among]) => {
    const title = `${id} by guest and by what its disk lost`;
    const lead = `${distinct(among, mode)
      .flatMap((lost) => modeMeanings[lost] ?? [])
      .join('; ')}.`;
    const line = ({ target }: Row): string => settingOf(target)?.where ?? '';
    return matrix(among, {
      title,
      lead,
      caption: title,
      corner: 'guest',
      line,
      column: mode,
      cell: guestCell,
    });
  });
}

function guestCell(row: Row): Html {
  const control = row.target.expect === 'caught';
  const held = control ? heldHere : pill('held');
  const clean = row.counts.held > 0 ? held : pill('unmeasured');
  const verdict = row.violations > 0 ? pill(control ? 'caught' : 'violation') : clean;
  const what = row.explored === null ? plural(row.crashes, 'trial') : plural(row.crashes, 'crash state');
  return cellOf(verdict, row.violations > 0 ? `${grouped(row.violations)} of ${what}` : what);
}

function cellOf(verdict: Html, detail: string): Html {
  return markup`${verdict}<span class="cell">${detail}</span>`;
}

/** None where one line or one column would be all. */
function matrix(among: Row[], { title, lead, caption, corner, line, column, cell }: Matrix): Html[] {
  const lines = distinct(among, line);
  const columns = distinct(among, column);
  if (lines.length < 2 || columns.length < 2) return [];
  const at = (one: string, other: string): Html | string => {
    const row = among.find((candidate) => line(candidate) === one && column(candidate) === other);
    return row === undefined ? 'not tried' : cell(row);
  };
  return [
    markup`<h3>${title}</h3>
      ${lead === undefined ? null : markup`<p class="lead">${lead}</p>`}
      <div class="matrix">
        ${table(
          caption,
          [{ head: corner }, ...columns.map((head) => ({ head }))],
          lines.map((one) => [one, ...columns.map((other) => at(one, other))]),
        )}
      </div>`,
  ];
}

function distinct(rows: Row[], part: (row: Row) => string): string[] {
  return [...new Set(rows.map(part))];
}
