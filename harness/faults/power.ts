/** Fault `power-command`: the moment at which a real machine loses its power. */
import type { CrashPlan } from '../core/events.js';
import { random } from '../core/seed.js';

/** Commits after which the moment is drawn. */
const commitsBefore = 24;
/** Time after that commit in which the power command is started: a switch is far less exact than a timer anyway. */
const spreadMicros = 1_500_000;

export function drawPowerCut(seed: number): CrashPlan {
  const draw = random(seed);
  return {
    mode: 'time',
    phase: 'run',
    afterCommit: draw.int(0, commitsBefore),
    delayMicros: draw.int(1, spreadMicros),
  };
}
