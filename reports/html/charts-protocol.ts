/** Where in the protocols the crashes fell, and how long recovery took. */
import { groupBy } from '../../harness/core/group-by.js';
import { Histogram } from '../histogram.js';
import { noneShown, shownAs, type ShownCounts } from '../over-trials.js';
import { rowNames } from '../row-names.js';
import type { Row } from '../summary-row.js';
import type { Summary } from '../summary.js';
import { duration, grouped, plural } from '../text.js';
import { shortened } from './charts.js';
import { figure, Plot } from './draw.js';
import { markup, nothing, type Html } from './markup.js';
import { legend, shownLegend, shownNames, shownScale } from './palette.js';
import { table } from './table.js';

const mostCharts = 12;
const mostSteps = 80;
const mostTargets = 24;

interface Protocol {
  backend: string;
  fault: string;
  targets: number;
  steps: { step: string; counts: ShownCounts; hit: boolean }[];
}

/** Crashes by step, for each backend under each fault; controls apart. */
export function protocols(summary: Summary): Protocol[] {
  const known = summary.subjects.filter((row) => row.coverage() !== null);
  const key = ({ target }: Row): string => `${target.backend ?? target.id}\u0000${target.fault}`;
  return [...groupBy(known, key)].map(([key, rows]) => {
    const [backend = '', fault = ''] = key.split('\u0000');
    const coverages = rows.flatMap((row) => row.coverage() ?? []);
    const hit = new Set(coverages.flatMap((coverage) => coverage.hit));
    const named =
      rows[0]?.target.steps ?? coverages.flatMap((coverage) => [...coverage.hit, ...coverage.missed]);
    const steps = [...new Set([...named, ...hit, ...coverages.flatMap(({ missed }) => missed)])].map(
      (step) => {
        const counts = noneShown();
        for (const row of rows) {
          const part = row.bySteps.get(step);
          if (part !== undefined) for (const shown of shownAs) counts[shown] += part[shown];
        }
        return { step, counts, hit: hit.has(step) };
      },
    );
    return { backend, fault, targets: rows.length, steps };
  });
}

export function crashesInProtocols(summary: Summary): Html {
  const all = protocols(summary).slice(0, mostCharts);
  return all.length === 0 ? nothing : markup`<div class="pair">${all.map(protocolChart)}</div>`;
}

function protocolChart({ backend, fault, targets, steps: allSteps }: Protocol, index: number): Html {
  const steps = allSteps.slice(0, mostSteps);
  const missed = steps.filter(({ hit }) => !hit);
  const used = shownAs.filter((shown) => steps.some(({ counts }) => counts[shown] > 0));
  const label = (step: string): string =>
    shortened(step.startsWith(`${backend}.`) ? step.slice(backend.length + 1) : step, 27);
  const total = (counts: ShownCounts): number => shownAs.reduce((sum, shown) => sum + counts[shown], 0);
  const data = steps.flatMap(({ counts }, i) =>
    used.map((shown) => ({ i, count: counts[shown], shown: shownNames[shown] })),
  );
  const ends = steps.map(({ counts, hit }, i) => ({
    i,
    at: total(counts),
    text: hit ? (total(counts) > 0 ? grouped(total(counts)) : 'met') : 'never',
    fill: hit ? 'var(--muted)' : 'var(--violation-ink)',
  }));
  const title = `${backend} under ${fault}`;
  const coverage = `${grouped(steps.length - missed.length)} of ${plural(steps.length, 'named step')} met`;
  return figure({
    id: `protocol-${index}`,
    half: true,
    title,
    description:
      `Crashes of ${plural(targets, 'target')} by the step after which they fell; ${coverage}.` +
      (missed.length === 0 ? '' : ` Never: ${missed.map(({ step }) => step).join(', ')}.`),
    legend: shownLegend(used),
    caption: `${coverage}, over ${plural(targets, 'target')}.`,
    draw: () => ({
      height: 14 + steps.length * 20,
      marginLeft: 176,
      marginRight: 60,
      marginTop: 4,
      marginBottom: 10,
      x: { axis: null },
      y: {
        type: 'band',
        domain: steps.map((_, i) => i),
        label: null,
        tickSize: 0,
        tickFormat: (i: number) => label(steps[i]?.step ?? ''),
        padding: 0.28,
      },
      color: shownScale(used),
      marks: [
        Plot.barX(data, { x: 'count', y: 'i', fill: 'shown' }),
        Plot.text(ends, { x: 'at', y: 'i', text: 'text', fill: 'fill', textAnchor: 'start', dx: 6 }),
        Plot.ruleX([0], { stroke: 'var(--rule-strong)' }),
      ],
    }),
    data: table(
      title,
      [{ head: 'step' }, ...used.map((shown) => ({ head: shownNames[shown], number: true }))],
      steps.map(({ step, counts }) => [step, ...used.map((shown) => grouped(counts[shown]))]),
    ),
  });
}

export function recoveryTimes(summary: Summary): Html {
  const rows = summary.subjects.filter(({ recovery }) => recovery.total > 0);
  if (rows.length === 0) return nothing;
  const all = new Histogram();
  for (const { recovery } of rows) all.merge(recovery);
  return markup`<div class="pair">${histogramChart(all)}${quantileChart(rows)}</div>`;
}

/** Between two durations in milliseconds, as many as can be read: decades, 1 and 3 of each, or more where both are close. */
function logTicks(low: number, high: number): number[] {
  const within = (digits: number[]): number[] => {
    const ticks: number[] = [];
    for (let decade = Math.floor(Math.log10(low)); decade <= Math.log10(high); decade++) {
      ticks.push(...digits.map((digit) => digit * 10 ** decade));
    }
    return ticks.filter((tick) => tick >= low * 0.99 && tick <= high * 1.01);
  };
  const many = within([1, 3]);
  if (many.length > 6) return within([1]);
  return many.length > 2 ? many : within([1, 1.5, 2, 3, 5, 7]);
}

function quantile(histogram: Histogram, share: number): number {
  return histogram.quantile(share) ?? 0;
}

function histogramChart(all: Histogram): Html {
  const buckets = all.buckets();
  const inWords =
    `half took at most ${duration(quantile(all, 0.5))}, 99 % at most ${duration(quantile(all, 0.99))}, ` +
    `the longest ${duration(all.max)}`;
  return figure({
    id: 'recovery-histogram',
    half: true,
    title: 'All recoveries',
    description: `${plural(all.total, 'recovery', 'recoveries')}: ${inWords}.`,
    caption: `${plural(all.total, 'recovery', 'recoveries')}: ${inWords}.`,
    legend: legend([
      ['var(--accent)', 'median'],
      ['var(--muted)', 'longest'],
    ]),
    draw: () => ({
      height: 230,
      marginLeft: 46,
      x: {
        type: 'log',
        label: null,
        ticks: logTicks(buckets[0]?.from ?? 1, all.max),
        tickFormat: (ms: number) => duration(ms),
      },
      y: { label: null, grid: true, ticks: 4, tickFormat: (value: number) => grouped(value) },
      marks: [
        Plot.rectY(buckets, { x1: 'from', x2: 'to', y: 'count', fill: 'var(--accent-soft)', inset: 0.5 }),
        Plot.ruleX([quantile(all, 0.5)], { stroke: 'var(--accent)', strokeWidth: 2 }),
        Plot.ruleX([all.max], { stroke: 'var(--muted)', strokeDasharray: '2,3' }),
        Plot.ruleY([0], { stroke: 'var(--rule-strong)' }),
      ],
    }),
    data: table(
      'All recoveries',
      [{ head: 'up to' }, { head: 'recoveries', number: true }],
      buckets.map(({ to, count }) => [duration(to), grouped(count)]),
    ),
  });
}

function quantileChart(all: Row[]): Html {
  const rows = [...all]
    .sort((a, b) => quantile(b.recovery, 0.5) - quantile(a.recovery, 0.5))
    .slice(0, mostTargets);
  const { names, common } = rowNames(rows);
  const data = rows.map(({ recovery }, i) => ({
    i,
    name: shortened(names[i] ?? '', 25),
    low: quantile(recovery, 0.1),
    median: quantile(recovery, 0.5),
    high: quantile(recovery, 0.99),
    max: recovery.max,
  }));
  const slowest = data[0];
  const lowest = Math.min(...data.map(({ low }) => low));
  const highest = Math.max(...data.map(({ max }) => max));
  return figure({
    id: 'recovery-by-target',
    half: true,
    title: 'By target',
    description: slowest === undefined ? '' : `Slowest: ${slowest.name}, median ${duration(slowest.median)}.`,
    ...(common === '' ? {} : { caption: `${common}.` }),
    legend: legend([
      ['var(--accent)', 'median'],
      ['var(--accent-soft)', 'from the 10th to the 99th percentile'],
      ['var(--muted)', 'longest'],
    ]),
    draw: () => ({
      height: Math.max(90, 44 + rows.length * 20),
      marginLeft: 160,
      marginRight: 24,
      x: {
        type: 'log',
        label: null,
        grid: true,
        ticks: logTicks(lowest, highest),
        tickFormat: (ms: number) => duration(ms),
      },
      y: {
        type: 'band',
        domain: data.map(({ i }) => i),
        label: null,
        tickSize: 0,
        tickFormat: (i: number) => data[i]?.name ?? '',
      },
      marks: [
        Plot.ruleY(data, { y: 'i', x1: 'low', x2: 'high', stroke: 'var(--accent-soft)', strokeWidth: 7 }),
        Plot.tickX(data, { x: 'max', y: 'i', stroke: 'var(--muted)', inset: 4 }),
        Plot.dot(data, { x: 'median', y: 'i', r: 4, fill: 'var(--accent)' }),
      ],
    }),
    data: table(
      'Recovery by target',
      ['target', 'median', '99 %', 'longest'].map((head, i) => ({ head, number: i > 0 })),
      data.map(({ name, median, high, max }) => [name, duration(median), duration(high), duration(max)]),
    ),
  });
}
