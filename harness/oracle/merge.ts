/** Merging verdicts of campaigns: violation > harness-broken > not-measured > held. */
import type { CampaignVerdict } from '../core/verdict.js';

const order: CampaignVerdict[] = ['held', 'not-measured', 'harness-broken', 'violation'];

export function worst(a: CampaignVerdict, b: CampaignVerdict): CampaignVerdict {
  return order.indexOf(a) >= order.indexOf(b) ? a : b;
}
