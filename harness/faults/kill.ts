/**
 * Fault `kill`: SIGKILL. Either at a moment drawn from the seed (the kernel's timer kills the process,
 * microseconds apart from where the last one fell), or exactly at a named step of the protocol.
 */
import type { CrashPlan } from '../core/events.js';
import { random } from '../core/seed.js';

/** Commits among which the moment of a random kill is drawn. */
const commitsBefore = 24;
/** Microseconds after an ack in which it falls: several commits long, so that every part of one is met. */
const delayAfterAck = 3000;
const delayInCreation = 4000;
const delayInRecovery = 1500;

/** Shares of random kills, in per cent: during the creation, and again during recovery. */
const inCreation = 8;
const inRecovery = 25;

export interface KillOptions {
  /** Multiplies the delays: for programs that are slower than a heap in memory. */
  slowness: number;
  /** Can the creation be tortured too? */
  creation: boolean;
}

/** A kill drawn from the seed of a trial. */
export function drawKill(seed: number, options: KillOptions): CrashPlan {
  const draw = random(seed);
  const micros = (bound: number): number => draw.int(1, Math.round(bound * options.slowness));
  if (options.creation && draw.int(1, 100) <= inCreation) {
    return { mode: 'time', phase: 'create', delayMicros: micros(delayInCreation) };
  }
  const plan: CrashPlan = {
    mode: 'time',
    phase: 'run',
    afterCommit: draw.int(0, commitsBefore),
    delayMicros: micros(delayAfterAck),
  };
  if (draw.int(1, 100) <= inRecovery) {
    plan.then = { mode: 'time', phase: 'recover', delayMicros: micros(delayInRecovery) };
  }
  return plan;
}

/** What a target passes when nothing stops it: the space of a sweep. */
export interface StepCensus {
  /** Steps of the creation, in order. */
  create: string[];
  /** Steps of the commits, in order. */
  run: string[];
  /** For crashes at some run steps (1-based): the steps of the recovery that follows. */
  recover: { at: number; steps: string[] }[];
}

/** Every plan of an exhaustive sweep, in a fixed order. */
export function sweepPlans(census: StepCensus): CrashPlan[] {
  const at = (phase: CrashPlan['phase'], step: number): CrashPlan => ({ mode: 'step', phase, step });
  return [
    ...census.create.map((_, i) => at('create', i + 1)),
    ...census.run.map((_, i) => at('run', i + 1)),
    ...census.recover.flatMap(({ at: step, steps }) =>
      steps.map((_, i) => ({ ...at('run', step), then: at('recover', i + 1) })),
    ),
  ];
}

/** The first occurrence (1-based) of each named step: where recoveries are swept. */
export function firstOccurrences(steps: string[]): number[] {
  return [...new Set(steps)].map((name) => steps.indexOf(name) + 1);
}
