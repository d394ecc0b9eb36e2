/** `plugpull merge`: joins the shards of one campaign. */
import { Command } from 'commander';
import path from 'node:path';
import { createReporters } from '../../reports/registry.js';
import { mergeRuns } from '../campaign/merge.js';

export function mergeCommand(): Command {
  return new Command('merge')
    .description('join the shards of one campaign; fails if any trial failed, or a shard is missing')
    .argument('<runs...>', 'run directories, one for each shard')
    .requiredOption('--out <folder>', 'the run directory to write')
    .option('--json', 'one JSON object on stdout')
    .action(async (runs: string[], flags: { out: string; json?: boolean }) => {
      const out = path.resolve(flags.out);
      const reporters = createReporters([
        { kind: 'terminal', summaryOnStdout: flags.json !== true, progress: false },
        ...(flags.json === true ? [{ kind: 'json' } as const] : []),
        { kind: 'html', file: path.join(out, 'report.html') },
      ]);
      process.exitCode = await mergeRuns(runs, out, reporters);
    });
}
