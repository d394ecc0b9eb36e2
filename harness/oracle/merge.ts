/** Merging verdicts: violation > harness-broken > not-measured > held. */
import type { CampaignVerdict } from '../core/verdict.js';

export { addCounts, noCounts, upperBound95, violationsIn, type Counts } from '../core/counts.js';

const order: CampaignVerdict[] = ['held', 'not-measured', 'harness-broken', 'violation'];

export function worst(a: CampaignVerdict, b: CampaignVerdict): CampaignVerdict {
  return order.indexOf(a) >= order.indexOf(b) ? a : b;
}
