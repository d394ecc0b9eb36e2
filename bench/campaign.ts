/** Runs a campaign in this process, as `plugpull run` does. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Campaign, type CampaignResult } from '../harness/campaign/campaign.js';
import { KillEngine } from '../harness/campaign/kill-engine.js';
import { backendTargets } from '../harness/campaign/targets.js';
import type { Reporter } from '../harness/core/events.js';

export async function killCampaign(
  backend: string,
  workload: string,
  trials: number,
  reporters: Reporter[] = [],
): Promise<CampaignResult & { seconds: number }> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-bench-'));
  const targets = backendTargets({
    backends: [backend],
    workloads: [workload],
    planted: [],
    controls: false,
  });
  const campaign = new Campaign(
    {
      seed: 1,
      shard: { index: 1, of: 1 },
      budget: { millis: null, trials },
      jobs: os.availableParallelism(),
      runFolder: path.join(folder, 'run'),
      workFolder: null,
      resume: false,
      maxFailures: 1,
      gateUpperBound: null,
      argv: [],
      config: {},
      skipped: [],
    },
    [new KillEngine(targets)],
    reporters,
  );
  const started = performance.now();
  try {
    const result = await campaign.run();
    return { ...result, seconds: (performance.now() - started) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
