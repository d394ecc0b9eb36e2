/** `plugpull list`: what there is to choose from. */
import { Command } from 'commander';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { native } from '../../native/index.js';
import { workloads } from '../../workloads/registry.js';
import { loadConfig } from '../config/load.js';
import { UsageError } from '../core/errors.js';
import { findImage } from '../images/image.js';
import { kernelNames } from '../images/recipe.js';
import { readEvents } from '../store/event-log.js';
import { eventsFile } from '../store/run-dir.js';

type Row = Record<string, string>;

const lists: Record<string, () => Row[] | Promise<Row[]>> = {
  backends: () =>
    native.backends().map((backend) => ({
      name: backend.name,
      summary: backend.summary,
      steps: String(backend.steps.length),
    })),
  workloads: () => workloads.map(({ name, summary }) => ({ name, summary })),
  planted: () =>
    native.plantedBugs().map(({ name, subject, seenBy, summary }) => ({ name, subject, seenBy, summary })),
  profiles: () =>
    native
      .profiles()
      .flatMap(({ name, summary, rules }) => [
        { name, promise: summary, source: '' },
        ...rules.map(({ rule, source }) => ({ name, promise: rule, source })),
      ]),
  kernels: async () =>
    Promise.all(
      kernelNames().map(async (name) => {
        const image = await findImage(name);
        return { name, image: image === null ? 'not built yet' : image.id, release: image?.release ?? '' };
      }),
    ),
  targets: async () => {
    const { config } = await loadConfig(process.cwd());
    return Object.entries(config.targets).map(([name, { run, expect }]) => ({ name, expect, run }));
  },
  runs,
};

export function listCommand(): Command {
  return new Command('list')
    .description(`list ${Object.keys(lists).join(', ')}`)
    .argument('[what]', `one of: ${Object.keys(lists).join(', ')}`)
    .option('--json', 'print JSON')
    .action(async (what: string | undefined, flags: { json?: boolean }) => {
      const wanted = what === undefined ? Object.keys(lists) : [what];
      const all: Record<string, Row[]> = {};
      for (const name of wanted) {
        const make = Object.hasOwn(lists, name) ? lists[name] : undefined;
        if (make === undefined) {
          throw new UsageError(`there is no list "${name}"`, `there are: ${Object.keys(lists).join(', ')}`);
        }
        all[name] = await make();
      }
      if (flags.json === true)
        process.stdout.write(`${JSON.stringify({ schema: 'plugpull.list/1', ...all })}\n`);
      else for (const [name, rows] of Object.entries(all)) print(name, rows);
    });
}

/** Heads of columns whose names are not words. */
const heads: Record<string, string> = { seenBy: 'shown by', summary: '' };

function print(title: string, rows: Row[]): void {
  const columns = Object.keys(rows[0] ?? {});
  const head = Object.fromEntries(columns.map((column) => [column, heads[column] ?? column]));
  const [first = 'name'] = columns;
  head[first] = title;
  const widths = columns.map((column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? '').length + (column === first ? 2 : 0))),
  );
  const line = (row: Row): string =>
    columns
      .map((column, i) => (row[column] ?? '').padEnd((widths[i] ?? 0) - (i === 0 && row !== head ? 2 : 0)))
      .join('  ')
      .trimEnd();
  process.stdout.write(`${rows.length === 0 ? title : line(head)}\n`);
  if (rows.length === 0) process.stdout.write('  none\n');
  for (const row of rows) process.stdout.write(`  ${line(row)}\n`);
}

async function runs(): Promise<Row[]> {
  const folder = path.join('.plugpull', 'runs');
  if (!existsSync(folder)) return [];
  const rows: Row[] = [];
  for (const name of readdirSync(folder).sort()) {
    const file = path.join(folder, name, eventsFile);
    if (!existsSync(file)) continue;
    let trials = 0;
    let states = 0;
    let verdict = 'unfinished';
    try {
      for await (const event of readEvents(file)) {
        if (event.type === 'trial') trials++;
        if (event.type === 'states') states += event.states;
        if (event.type === 'run-ended') verdict = event.interrupted ? 'interrupted' : event.verdict;
      }
    } catch {
      verdict = 'cannot be read'; // the others can
    }
    rows.push({
      run: path.join(folder, name),
      verdict,
      trials: String(trials),
      'crash states': String(states),
    });
  }
  return rows;
}
