/** Shows a crash state of the model again. */
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { isViolation } from '../core/verdict.js';
import type { Judgement } from '../oracle/judge.js';
import { readBundle } from '../store/bundle.js';
import type { Zygote } from '../subjects/zygote.js';
import type { ExploreResult } from '../worker/job.js';
import { asModelState, type ModelState } from './model-bundle.js';
import { exploreRun, type ModelOutcome } from './model-jobs.js';

const bundleName = 'bundle.plugpull';

/** What a name on the command line means, if it is a bundle of the model or the folder of a finding with one. */
export function modelStateOf(name: string): ModelState | null {
  if (!existsSync(name)) return null;
  const file = statSync(name).isDirectory() ? path.join(name, bundleName) : name;
  if (!existsSync(file) || !statSync(file).isFile()) return null;
  return asModelState(file, readBundle(file));
}

/**
 * The run is recorded again from its seed. If it is the same run as then, the same state is shown. If the program has
 * changed since, its own crash states are explored instead, and the judgement says so.
 */
export async function replayModelState(state: ModelState, zygote: Zygote): Promise<Judgement> {
  const { target, seed, options } = state;
  const same = await exploreRun(zygote, target, seed, options, state.path);
  if (same.ok && same.result.hash === state.hash) return judgementOf(same);
  const all = await exploreRun(zygote, target, seed, options);
  const judgement = judgementOf(all);
  if (!all.ok) return judgement;
  const { states, of, exhaustive } = all.result;
  const share = exhaustive ? `all ${states}` : `${states} of about ${Math.round(of ?? states)}`;
  return {
    ...judgement,
    reason: `the program does something else now; ${share} crash states of its run were explored${
      judgement.reason === undefined ? '' : `: ${judgement.reason}`
    }`,
  };
}

function judgementOf(outcome: ModelOutcome): Judgement {
  if (!outcome.ok) {
    return {
      verdict: outcome.violation ? 'unrecoverable' : 'harness-broken',
      reason: outcome.reason,
      recovered: null,
    };
  }
  const found = outcome.result.findings.find(({ verdict }) => isViolation(verdict));
  if (found !== undefined)
    return { verdict: found.verdict, reason: found.reason, recovered: found.recovered };
  return { verdict: held(outcome.result) ? 'held' : 'not-measured', recovered: null };
}

function held({ counts }: ExploreResult): boolean {
  return (counts.held ?? 0) > 0;
}
