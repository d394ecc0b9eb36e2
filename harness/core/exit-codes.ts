import type { CampaignVerdict } from './verdict.js';

export const exitCodes = {
  held: 0,
  violation: 1,
  notMeasured: 2,
  usage: 64,
  unavailable: 69,
  ownFailure: 70,
  interrupted: 130,
} as const;

export function exitCodeOf(verdict: CampaignVerdict): number {
  switch (verdict) {
    case 'held':
      return exitCodes.held;
    case 'violation':
      return exitCodes.violation;
    case 'harness-broken':
      return exitCodes.ownFailure;
    case 'not-measured':
      return exitCodes.notMeasured;
  }
}
