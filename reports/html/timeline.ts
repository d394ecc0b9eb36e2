/** The operations around a cut as a picture, a lane for each file, and the same as a table. */
import type { FindingEvent, TimelineEntry } from '../../harness/core/events.js';
import { grouped, oneLine } from '../text.js';
import { shortened } from './charts.js';
import { figure, Plot, widths } from './draw.js';
import { nothing, type Html } from './markup.js';
import { legend } from './palette.js';
import { table } from './table.js';

type Fate = NonNullable<TimelineEntry['fate']>;
const fates: Record<Fate, { name: string; colour: string; sign: string }> = {
  durable: { name: 'durable: a flush had covered it', colour: 'var(--durable)', sign: '' },
  kept: { name: 'kept: not flushed, and yet on the medium', colour: 'var(--kept)', sign: '' },
  torn: { name: 'torn: a part of it', colour: 'var(--torn)', sign: '½' },
  lost: { name: 'lost', colour: 'var(--lost)', sign: '✕' },
};
const order = Object.keys(fates) as Fate[];

/** Wider than this, the picture has no room for signs. */
const mostSigns = 48;
/** Lanes that are no files. */
const commits = 'commits';
/** The target's own, whose name is empty. */
const topFolder = 'the folder';
const otherFiles = 'other files';
const fileSystem = 'file system';
const mostFiles = 10;
/** With fewer operations than this the picture keeps its proportions. */
const leastOperations = 8;

export function timeline(finding: FindingEvent): Html {
  const entries = finding.timeline ?? [];
  if (entries.length === 0) return nothing;
  const named = [...new Set(entries.flatMap(({ file }) => file ?? []))];
  const files = named.slice(0, mostFiles);
  const changed = ({ kind }: TimelineEntry): boolean => kind === 'write' || kind === 'metadata';
  // What crosses all lanes has none.
  const laneOf = (entry: TimelineEntry): string | null => {
    if (entry.file !== undefined) return files.includes(entry.file) ? entry.file : otherFiles;
    if (changed(entry)) return fileSystem;
    return entry.kind === 'ack' ? commits : null;
  };
  const used = new Set(entries.map(laneOf));
  const filled = [commits, ...files, otherFiles, fileSystem].filter((lane) => used.has(lane));
  const lanes = filled.length === 0 ? [commits] : filled;
  const of = (kind: TimelineEntry['kind']): (TimelineEntry & { i: number; lane: string | null })[] =>
    entries.flatMap((entry, i) => (entry.kind === kind ? [{ ...entry, i, lane: laneOf(entry) }] : []));
  // A flush of the whole device crosses all lanes.
  const flushes = of('flush').filter(({ file }) => file !== undefined);
  const deviceFlushes = of('flush').filter(({ file }) => file === undefined);
  const cutAt = of('cut').at(-1)?.i ?? entries.length;
  const changes = [...of('write'), ...of('metadata')].map((entry) => ({
    ...entry,
    from: entry.i - 0.42,
    to: entry.i + 0.42,
    fate: entry.fate ?? 'kept',
    title: oneLine(`${entry.label}${entry.fate === undefined ? '' : `: ${entry.fate}`}`),
  }));
  const signs = changes.flatMap(({ i, lane, fate }) =>
    fates[fate].sign === '' ? [] : [{ i, lane, text: fates[fate].sign }],
  );
  const marked = [...of('step')].map(({ i, label }) => ({ i, label: oneLine(label) }));
  const count = (fate: Fate): number => changes.filter((change) => change.fate === fate).length;
  const summary =
    order.flatMap((fate) => (count(fate) > 0 ? [`${grouped(count(fate))} ${fate}`] : [])).join(', ') ||
    'nothing was pending';
  return figure({
    id: `timeline-${finding.number}`,
    title: 'What was on the medium when the power failed',
    description: `${grouped(entries.length)} operations on ${lanes.filter((lane) => lane !== commits).join(', ')}, then the cut: ${summary}.`,
    legend: legend([
      ...order.flatMap((fate): [string, string][] =>
        count(fate) > 0 ? [[fates[fate].colour, fates[fate].name]] : [],
      ),
      ...(of('flush').length > 0 ? [['var(--ink)', 'flush'] as [string, string]] : []),
      ...(of('ack').length > 0 ? [['var(--ack)', 'commit acked'] as [string, string]] : []),
    ]),
    draw: (width) => {
      const wide = width !== widths.narrow;
      return {
        height: 44 + lanes.length * 34,
        marginLeft: wide ? 120 : 92,
        marginRight: 16,
        marginTop: 18,
        marginBottom: 8,
        x: { axis: null, domain: [-0.7, Math.max(entries.length, leastOperations) - 0.3] },
        y: {
          type: 'band',
          domain: lanes,
          label: null,
          tickSize: 0,
          tickFormat: (lane: string) => shortened(lane === '' ? topFolder : lane, wide ? 17 : 13),
          padding: 0.3,
        },
        color: { domain: order, range: order.map((fate) => fates[fate].colour) },
        marks: [
          Plot.ruleY(lanes, { y: (lane: string) => lane, stroke: 'var(--rule)', strokeWidth: 1 }),
          Plot.ruleX(marked, {
            x: 'i',
            stroke: 'var(--rule-strong)',
            strokeDasharray: '1,4',
            title: 'label',
          }),
          Plot.barX(changes, { x1: 'from', x2: 'to', y: 'lane', fill: 'fate', title: 'title', rx: 2 }),
          ...(entries.length <= (wide ? mostSigns : mostSigns / 3)
            ? [
                Plot.text(signs, {
                  x: 'i',
                  y: 'lane',
                  text: 'text',
                  fill: 'var(--sign)',
                  fontWeight: 'bold',
                  fontSize: 13,
                }),
              ]
            : []),
          Plot.ruleX(deviceFlushes, { x: 'i', stroke: 'currentColor', strokeWidth: 2, title: 'label' }),
          Plot.tickX(flushes, {
            x: 'i',
            y: 'lane',
            stroke: 'currentColor',
            strokeWidth: 2.5,
            insetTop: -5,
            insetBottom: -5,
            title: 'label',
          }),
          Plot.dot(of('ack'), {
            x: 'i',
            y: 'lane',
            r: 6,
            fill: 'var(--ack)',
            symbol: 'diamond2',
            title: 'label',
          }),
          Plot.ruleX(of('cut'), {
            x: 'i',
            stroke: 'var(--violation)',
            strokeWidth: 2.5,
            insetTop: -4,
            title: 'label',
          }),
          Plot.text(of('cut'), {
            x: 'i',
            frameAnchor: 'top',
            dy: -14,
            text: () => 'power cut',
            fill: 'var(--violation-ink)',
            textAnchor: cutAt > 4 ? 'end' : 'start',
            dx: cutAt > 4 ? 6 : -6,
          }),
        ],
      };
    },
    caption: `From left to right in the order of the operations. At the cut: ${summary}.`,
    data: table(
      `Operations before finding ${finding.number}`,
      ['no.', 'operation', 'file', 'bytes', 'step', 'fate'].map((head) => ({ head })),
      entries.map((entry, i) => [
        String(i + 1),
        entry.label,
        entry.file ?? '',
        entry.length === undefined ? '' : `${grouped(entry.length)} at ${grouped(entry.offset ?? 0)}`,
        entry.step ?? '',
        entry.fate ?? '',
      ]),
    ),
  });
}
