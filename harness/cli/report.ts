/** `plugpull report`: renders a run again from its event log. */
import { Command } from 'commander';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { createReporters, type ReportRequest } from '../../reports/registry.js';
import { UsageError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { readEvents } from '../store/event-log.js';
import { eventsFile } from '../store/run-dir.js';

interface ReportFlags {
  json?: boolean;
  junit?: string;
  html?: string;
  markdown?: string;
  github?: boolean;
}

export function reportCommand(): Command {
  return new Command('report')
    .description('render a run from its event log, also one that is still going on')
    .argument('<run>', 'run directory')
    .option('--json', 'one JSON object on stdout')
    .option('--junit <file>', 'JUnit XML')
    .option('--html <file>', 'one offline HTML file')
    .option('--markdown <file>', 'Markdown')
    .option('--github', 'GitHub annotations and step summary')
    .action(async (run: string, flags: ReportFlags) => {
      process.exitCode = await report(run, flags);
    });
}

async function report(run: string, flags: ReportFlags): Promise<number> {
  const file = eventLogOf(run);
  const wanted: ReportRequest[] = [];
  if (flags.json === true) wanted.push({ kind: 'json' });
  if (flags.junit !== undefined) wanted.push({ kind: 'junit', file: flags.junit });
  if (flags.html !== undefined) wanted.push({ kind: 'html', file: flags.html });
  if (flags.markdown !== undefined) wanted.push({ kind: 'markdown', file: flags.markdown });
  if (flags.github === true) wanted.push({ kind: 'github' });
  if (wanted.length === 0) wanted.push({ kind: 'terminal', summaryOnStdout: true, progress: false });
  const reporters = createReporters(wanted);
  for await (const event of readEvents(file)) for (const reporter of reporters) reporter.on(event);
  for (const reporter of reporters) await reporter.end?.();
  return exitCodes.held;
}

export function eventLogOf(run: string): string {
  const file = existsSync(run) && statSync(run).isDirectory() ? path.join(run, eventsFile) : run;
  if (!existsSync(file))
    throw new UsageError(`${run} holds no run`, 'name a run directory; see `plugpull list runs`');
  return file;
}
