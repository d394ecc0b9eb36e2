/** The smallest set of lost or torn writes that still breaks a state in the same way. */
import type { DurabilityPromise } from '../core/target.js';
import type { Judgement } from '../oracle/judge.js';
import type { Choices, Fate } from './enumerate.js';
import type { Violation } from './explored.js';
import { recoveriesFor, showAgain, type Recoveries } from './show-again.js';
import type { StateSource } from './state-source.js';
import { ackedRange, type AckedRange } from './verdict.js';

/** States that are tried at most. */
const maxTries = 200;

export interface MinimizeOptions {
  promise?: DurabilityPromise;
  /** performance.now() at which no further state is tried. */
  until?: number;
  stopping?: () => boolean;
}

export interface Minimized {
  choices: Choices;
  acked: AckedRange;
  judgement: Judgement;
  /** What shows it. */
  recoveries: Recoveries;
  /** What repair said of it, where it could not be mounted. */
  repair: string;
  tries: number;
  /** False: time, tries or patience ended before every lost write was tried. */
  complete: boolean;
}

/** @param found a violation that came back when its state was shown again */
export async function minimize(
  found: Violation,
  source: StateSource,
  { promise = 'durable', until = Infinity, stopping = () => false }: MinimizeOptions = {},
): Promise<Minimized> {
  const { epoch } = found;
  const recoveries = recoveriesFor(found.acked, found.checks, promise);
  let tries = 0;
  let best = found.choices;
  let { judgement } = found;
  let repair = found.repair ?? '';
  let complete = true;
  const goesOn = (): boolean => {
    complete &&= tries < maxTries && performance.now() < until && !stopping();
    return complete;
  };

  // Give back lost writes in ever smaller groups (delta debugging, Zeller and Hildebrandt 2002), then heal torn ones.
  const lost = (): number[] => [...epoch.pending.keys()].filter((index) => best.get(index) !== null);
  for (let size = Math.max(1, lost().length >> 1); size >= 1 && lost().length > 0 && goesOn();) {
    let gained = false;
    const missing = lost();
    for (let first = 0; first < missing.length && goesOn(); first += size) {
      const given = new Map<number, Fate>(best);
      for (const index of missing.slice(first, first + size)) given.set(index, null);
      tries++;
      const shown = await showAgain(source, epoch, given, recoveries, promise);
      // Another violation is another finding.
      if (shown.judgement.verdict !== found.judgement.verdict) continue;
      best = given;
      ({ judgement, repair } = shown);
      gained = true;
    }
    if (!gained || size > 1) size = size === 1 ? 0 : size >> 1;
  }
  return { choices: best, acked: ackedRange(epoch, best), judgement, recoveries, repair, tries, complete };
}
