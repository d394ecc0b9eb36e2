/** The charts of a run: verdicts over the trials, and the targets beside each other. */
import { shownAs, type Shown } from '../over-trials.js';
import { rowNames } from '../row-names.js';
import type { Summary } from '../summary.js';
import { grouped, oneLine, plural } from '../text.js';
import { figure, Plot, widths } from './draw.js';
import { nothing, type Html } from './markup.js';
import { shownLegend, shownNames, shownScale } from './palette.js';
import { table } from './table.js';

/** Charts compare so many targets; the table has all. */
const mostTargets = 36;

export function shortened(text: string, length: number): string {
  const line = oneLine(text);
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}

export function verdictsOverTrials(summary: Summary): Html {
  const { intervals, width: each, trials } = summary.overTrials;
  if (intervals.length === 0) return nothing;
  const used = shownAs.filter((shown) => intervals.some((interval) => interval[shown] > 0));
  const bars = intervals.flatMap((interval, i) =>
    used.map((shown) => ({
      from: i * each,
      to: (i + 1) * each,
      count: interval[shown],
      shown: shownNames[shown],
    })),
  );
  const marked = (shown: Shown): { at: number; count: number }[] =>
    intervals.flatMap((interval, i) =>
      interval[shown] > 0 ? [{ at: (i + 0.5) * each, count: interval[shown] }] : [],
    );
  const sums = used.map((shown) => [shown, intervals.reduce((sum, x) => sum + x[shown], 0)] as const);
  const inWords = sums.map(([shown, sum]) => `${grouped(sum)} ${shownNames[shown]}`).join(', ');
  return figure({
    id: 'over-trials',
    title: 'Verdicts over the trials',
    description: `${plural(trials, 'crash', 'crashes')} in the order they ended: ${inWords}.`,
    caption:
      `Each bar stands for ${plural(each, 'crash', 'crashes')}, in the order they ended. ` +
      'A triangle above a bar marks what a thin slice would hide: red for a violation, violet for a control caught.',
    legend: shownLegend(used),
    draw: (width) => ({
      height: width !== widths.narrow ? 220 : 190,
      marginLeft: 46,
      marginTop: 24,
      x: {
        label: 'crashes →',
        tickFormat: (value: number) => grouped(value),
        ticks: width !== widths.narrow ? 8 : 4,
      },
      y: { label: null, grid: true, ticks: Math.min(4, each), tickFormat: (value: number) => grouped(value) },
      color: shownScale(used),
      marks: [
        Plot.rectY(bars, {
          x1: 'from',
          x2: 'to',
          y: 'count',
          fill: 'shown',
          insetLeft: 0.5,
          insetRight: 0.5,
        }),
        triangles(marked('caught'), 'var(--caught)', -16),
        triangles(marked('violation'), 'var(--violation)', -7),
        Plot.ruleY([0], { stroke: 'var(--rule-strong)' }),
      ],
    }),
    data: table(
      'Verdicts over the trials',
      [{ head: 'crashes up to' }, ...used.map((shown) => ({ head: shownNames[shown], number: true }))],
      intervals.map((interval, i) => [
        grouped(Math.min(trials, (i + 1) * each)),
        ...used.map((shown) => grouped(interval[shown])),
      ]),
    ),
  });
}

function triangles(at: { at: number; count: number }[], fill: string, dy: number): Plot.Markish {
  const shape = {
    symbol: 'triangle2',
    rotate: 180,
    r: 3.5,
    fill,
    stroke: 'none',
    frameAnchor: 'top',
    dy,
  } as const;
  return Plot.dot(at, { x: 'at', title: ({ count }: { count: number }) => grouped(count), ...shape });
}

export function targetsCompared(summary: Summary): Html {
  const all = summary.subjects.filter(({ trials }) => trials > 0);
  if (all.length === 0) return nothing;
  // Those that broke first: they may not fall off the end.
  const rows = [...all].sort((a, b) => b.violations - a.violations).slice(0, mostTargets);
  const { names: whole, common } = rowNames(rows);
  const used = shownAs.filter((shown) => rows.some((row) => row.shownCounts()[shown] > 0));
  const left =
    rows.length < all.length ? ` The first ${rows.length} of ${all.length}; the table above has all.` : '';
  const bad = rows.filter(({ violations }) => violations > 0).map(({ target }) => target.id);
  return figure({
    id: 'targets-compared',
    title: 'Targets beside each other',
    description:
      `Share of verdicts for ${plural(rows.length, 'target')}. ` +
      (bad.length === 0 ? 'No target was violated.' : `Violated: ${bad.join(', ')}.`),
    caption: `${common === '' ? 'Share' : `${common}: share`} of each verdict; beside the bar the number of crashes, and of violations if there were any.${left}`,
    legend: shownLegend(used),
    draw: (width) => {
      const long = width !== widths.narrow;
      const names = whole.map((name) => shortened(name, long ? 44 : 24));
      const data = rows.flatMap((row, i) => {
        const counts = row.shownCounts();
        return used.map((shown) => ({ i, share: counts[shown] / row.trials, shown: shownNames[shown] }));
      });
      const ends = rows.map((row, i) => ({
        i,
        text: grouped(row.crashes) + (row.violations > 0 ? ` · ${grouped(row.violations)} ✕` : ''),
        fill: row.violations > 0 ? 'var(--violation-ink)' : 'var(--muted)',
      }));
      return {
        height: 34 + rows.length * 19,
        marginLeft: 16 + Math.max(...names.map(({ length }) => length)) * 6.8,
        marginRight: long ? 100 : 76,
        marginTop: 6,
        marginBottom: 28,
        x: {
          domain: [0, 1],
          label: null,
          ticks: long ? 5 : 3,
          tickFormat: (share: number) => `${share * 100} %`,
        },
        y: {
          type: 'band',
          domain: rows.map((_, i) => i),
          label: null,
          tickSize: 0,
          tickFormat: (i: number) => names[i] ?? '',
          padding: 0.25,
        },
        color: shownScale(used),
        marks: [
          Plot.barX(data, { x: 'share', y: 'i', fill: 'shown' }),
          Plot.text(ends, { x: 1, y: 'i', text: 'text', fill: 'fill', textAnchor: 'start', dx: 7 }),
        ],
      };
    },
  });
}
