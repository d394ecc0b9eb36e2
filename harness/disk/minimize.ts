/** The smallest set of lost or torn writes that still breaks a state. */
import type { DurabilityPromise } from '../core/target.js';
import { isViolation } from '../core/verdict.js';
import type { Judgement } from '../oracle/judge.js';
import { choicesText, type Choices, type Fate } from './enumerate.js';
import type { Violation } from './exploration.js';
import type { StateSource } from './state-source.js';
import { ackedRange, judgeState, type AckedRange } from './verdict.js';

/** States that are tried at most. */
const maxTries = 200;

export interface Minimized {
  choices: Choices;
  acked: AckedRange;
  judgement: Judgement;
  /** The violation did not come back when its state was shown once more. */
  flaky: boolean;
  tries: number;
}

export async function minimize(
  found: Violation,
  source: StateSource,
  promise: DurabilityPromise = 'durable',
): Promise<Minimized> {
  const { epoch } = found;
  let tries = 0;
  const attempt = async (choices: Choices): Promise<Judgement> => {
    tries++;
    const acked = ackedRange(epoch, choices);
    const state = { epoch: epoch.number, choices: choicesText(choices) };
    return judgeState(acked, await source.check(state, acked.last, found.checks.length), promise);
  };
  // In a checker of its own: what was checked before must have nothing to do with it.
  await source.refresh();
  let best = found.choices;
  let judgement = await attempt(best);
  if (!isViolation(judgement.verdict)) {
    return { choices: best, acked: found.acked, judgement: found.judgement, flaky: true, tries };
  }

  // Give back lost writes in ever smaller groups (delta debugging, Zeller and Hildebrandt 2002), then heal torn ones.
  const lost = (): number[] => [...epoch.pending.keys()].filter((index) => best.get(index) !== null);
  for (let size = Math.max(1, lost().length >> 1); size >= 1 && tries < maxTries;) {
    let gained = false;
    const missing = lost();
    for (let first = 0; first < missing.length && tries < maxTries; first += size) {
      const given = new Map<number, Fate>(best);
      for (const index of missing.slice(first, first + size)) given.set(index, null);

      const outcome = await attempt(given);
      if (!isViolation(outcome.verdict)) continue;
      best = given;
      judgement = outcome;
      gained = true;
    }
    if (!gained || size > 1) size = size === 1 ? 0 : size >> 1;
  }
  return { choices: best, acked: ackedRange(epoch, best), judgement, flaky: false, tries };
}
