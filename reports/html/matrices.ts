/** Verdicts beside each other: backends by workloads, and guests by what their disks lost. */
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
  rows: string[];
  columns: string[];
  cell: (row: string, column: string) => Html | string;
}

/** Backends by workloads, for each way to crash where there are several of both. */
export function backendMatrices(rows: Row[], summary: Summary): Html[] {
  const named = rows.filter(({ target }) => target.backend !== undefined && target.workload !== undefined);
  return groups(named, ({ target }) => placeText(target)).flatMap(([place, among]) => {
    const backend = ({ target }: Row): string => target.backend ?? '';
    const workload = ({ target }: Row): string => target.workload ?? '';
    const cell = (one: string, other: string): Html | string => {
      const row = among.find((candidate) => backend(candidate) === one && workload(candidate) === other);
      if (row === undefined) return 'not tried';
      const status = statusOf(row, summary);
      const detail = status === 'violation' ? violationList(row) : plural(row.crashes, 'crash', 'crashes');
      return markup`${pill(status)}<span class="cell">${detail}</span>`;
    };
    const caption = `Verdicts by backend and workload: ${place}`;
    return matrix({
      ...{ title: place, caption, corner: 'backend', cell },
      ...{ rows: distinct(among, backend), columns: distinct(among, workload) },
    });
  });
}

const modeMeanings: Record<string, string> = {
  kept: 'kept: the disk keeps all that it was sent, as when QEMU is killed and no more',
  volatile: 'volatile: what was not flushed is lost, or a part of it',
  log: 'log: the same at many moments of one run, state by state',
};

/** File systems and kernels of guests by what their disks lost: what killing QEMU alone misses is seen in its first column. */
export function guestMatrices(rows: Row[]): Html[] {
  const guests = rows.filter(({ target }) => settingOf(target) !== null);
  const where = ({ target }: Row): string => settingOf(target)?.where ?? '';
  const mode = ({ target }: Row): string => settingOf(target)?.mode ?? '';
  return groups(guests, ({ target }) => target.id).flatMap(([id, among]) => {
    const cell = (place: string, lost: string): Html | string => {
      const row = among.find((candidate) => where(candidate) === place && mode(candidate) === lost);
      return row === undefined ? 'not tried' : guestCell(row);
    };
    const caption = `${id} by guest and by what its disk lost`;
    const columns = distinct(among, mode);
    const lead = columns.flatMap((lost) => modeMeanings[lost] ?? []).join('; ');
    return matrix({
      ...{ title: caption, lead: `${lead}.`, caption, corner: 'guest', cell },
      ...{ rows: distinct(among, where), columns },
    });
  });
}

function guestCell(row: Row): Html {
  const control = row.target.expect === 'caught';
  const held = control ? heldHere : pill('held');
  const clean = row.counts.held > 0 ? held : pill('unmeasured');
  const verdict = row.violations > 0 ? pill(control ? 'caught' : 'violation') : clean;
  const what = row.explored === null ? plural(row.crashes, 'trial') : plural(row.crashes, 'crash state');
  const detail = row.violations > 0 ? `${grouped(row.violations)} of ${what}` : what;
  return markup`${verdict}<span class="cell">${detail}</span>`;
}

function matrix({ title, lead, caption, corner, rows, columns, cell }: Matrix): Html[] {
  if (rows.length < 2 || columns.length < 2) return [];
  return [
    markup`<h3>${title}</h3>
      ${lead === undefined ? null : markup`<p class="lead">${lead}</p>`}
      <div class="matrix">
        ${table(
          caption,
          [{ head: corner }, ...columns.map((head) => ({ head }))],
          rows.map((row) => [row, ...columns.map((column) => cell(row, column))]),
        )}
      </div>`,
  ];
}

function groups(rows: Row[], key: (row: Row) => string): [string, Row[]][] {
  const all = new Map<string, Row[]>();
  for (const row of rows) all.set(key(row), [...(all.get(key(row)) ?? []), row]);
  return [...all];
}

function distinct(rows: Row[], part: (row: Row) => string): string[] {
  return [...new Set(rows.map(part))];
}
