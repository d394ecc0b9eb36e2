/** The controller's memory over many trials: it must not grow with their number. */
import type { Reporter, RunEvent } from '../harness/core/events.js';
import { createReporters } from '../reports/registry.js';
import { killCampaign } from './campaign.js';

export async function benchMemory(argument: string | undefined): Promise<unknown> {
  const trials = Number(argument ?? 100_000);
  const every = Math.max(1, Math.floor(trials / 10));
  const samples: { trials: number; rssMiB: number; heapMiB: number }[] = [];
  let seen = 0;
  const sampler: Reporter = {
    on(event: RunEvent): void {
      if (event.type !== 'trial') return;
      seen++;
      if (seen % every !== 0) return;
      const { rss, heapUsed } = process.memoryUsage();
      samples.push({ trials: seen, rssMiB: mib(rss), heapMiB: mib(heapUsed) });
      process.stderr.write(`${seen} trials: ${mib(rss)} MiB\n`);
    },
  };
  const reporters = createReporters([{ kind: 'html', file: '/dev/null' }]);
  const { seconds, tally } = await killCampaign('redo', 'bank', trials, [sampler, ...reporters]);
  return { trials, seconds: Math.round(seconds), counts: tally.counts, samples };
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 ** 2);
}
