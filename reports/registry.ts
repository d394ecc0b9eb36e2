/** The reporters there are: one line each. */
import type { Reporter } from '../harness/core/events.js';
import { annotations, writeStepSummary } from './github.js';
import { processIo, writeOut, writeReport, type ReportIo } from './io.js';
import { jsonText } from './json.js';
import { junitXml } from './junit.js';
import { markdownReport } from './markdown.js';
import { Summary } from './summary.js';
import { TerminalReporter } from './terminal.js';
import { violationLine } from './words.js';

interface Requests {
  /** Progress on stderr, and the summary at the end. */
  terminal: { summaryOnStdout: boolean; progress?: boolean; summary?: boolean };
  /** One line on stderr for each violation, and nothing else. */
  violations: object;
  /** One object, on stdout unless a file is named. */
  json: { file?: string };
  junit: { file: string };
  markdown: { file: string };
  html: { file: string };
  github: object;
}

type Kind = keyof Requests;
export type ReportRequest = { [K in Kind]: { kind: K } & Requests[K] }[Kind];

type Make<K extends Kind> = (
  summary: Summary,
  request: Requests[K],
  io: ReportIo,
  files: string[],
) => Reporter;

const kinds: { [K in Kind]: Make<K> } = {
  terminal: (summary, request, io, files) => new TerminalReporter(summary, { ...request, files }, io),
  violations: (_, __, io) => ({
    on: (event) => {
      if (event.type === 'finding' && !event.expected) io.stderr.write(`${violationLine(event)}\n`);
    },
  }),
  json: (summary, { file }, io) => atEnd(() => put(file, jsonText(summary), io)),
  junit: (summary, { file }, io) => atEnd(() => put(file, junitXml(summary), io)),
  markdown: (summary, { file }, io) => atEnd(() => put(file, markdownReport(summary), io)),
  // Loaded when it is needed: drawing charts takes longer to load than the rest of the program.
  html: (summary, { file }, io) =>
    atEnd(async () => put(file, (await import('./html/report.js')).htmlReport(summary), io)),
  // Not on stdout, which may be data; the runner reads commands from both.
  github: (summary, _, io) =>
    atEnd(async () => {
      writeStepSummary(summary, io.env);
      await writeOut(io.stderr, annotations(summary));
    }),
};

export const reportKinds = Object.keys(kinds) as Kind[];

/**
 * Reporters for one run. The first of what is returned feeds the summary that the others share, so all
 * of them must be given every event, in this order.
 */
export function createReporters(requests: ReportRequest[], io: ReportIo = processIo): Reporter[] {
  const summary = new Summary();
  const files = requests.flatMap((request) => ('file' in request ? [request.file] : []));
  return [summary, ...requests.map((request) => create(request, summary, io, files))];
}

function create<K extends Kind>(
  request: { kind: K } & Requests[K],
  summary: Summary,
  io: ReportIo,
  files: string[],
): Reporter {
  return kinds[request.kind](summary, request, io, files);
}

function atEnd(render: () => Promise<void>): Reporter {
  return { on: () => undefined, end: render };
}

async function put(file: string | undefined, text: string, io: ReportIo): Promise<void> {
  if (file === undefined) await writeOut(io.stdout, text);
  else writeReport(file, text);
}
