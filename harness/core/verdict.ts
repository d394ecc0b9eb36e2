/** Verdicts of one trial. The five violations are the classes of the FAMS contract. */
export const violations = ['lost', 'torn', 'phantom', 'unrecoverable', 'broken'] as const;
export type Violation = (typeof violations)[number];

export const verdicts = ['held', ...violations, 'not-measured', 'harness-broken'] as const;
export type Verdict = (typeof verdicts)[number];

/** The verdict of a campaign: all violations are one. */
export type CampaignVerdict = 'held' | 'violation' | 'not-measured' | 'harness-broken';

export function isViolation(verdict: Verdict): verdict is Violation {
  return (violations as readonly string[]).includes(verdict);
}
