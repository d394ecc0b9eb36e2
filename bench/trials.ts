/** Kill trials a second: start, work, kill, recover twice, check, record; and what starting a Node for each phase would cost. */
import { spawnSync } from 'node:child_process';
import { killCampaign } from './campaign.js';

/** Processes in a trial: the one that is killed and two that recover. */
const phases = 3;

export async function benchTrials(argument: string | undefined): Promise<unknown> {
  const trials = Number(argument ?? 1000);
  const { seconds, tally } = await killCampaign('redo', 'bank', trials);
  const starts = Array.from({ length: 11 }, () => {
    const before = performance.now();
    spawnSync(process.execPath, ['-e', '0']);
    return performance.now() - before;
  }).sort((a, b) => a - b);
  const nodeMillis = starts[5] ?? 0;
  const perSecond = trials / seconds;
  return {
    target: 'redo/bank',
    trials,
    counts: tally.counts,
    seconds: round(seconds),
    trialsPerSecond: round(perSecond),
    nodeStartMillis: round(nodeMillis),
    // Two cores, nothing but starting Node for each phase: the most that starting processes could reach.
    boundByStartingNode: round((1000 / (nodeMillis * phases)) * 2),
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
