/** Shows a crash state of a real file system again without root: inside user-mode Linux. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { diskProgram } from '../disk/line-process.js';
import type { Judgement } from '../oracle/judge.js';
import { memoryScratch } from '../rigs/scratch.js';
import { GuestDied, Machine } from './machine.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** @param file a bundle; it is not changed */
export async function replayInUml(file: string): Promise<Judgement> {
  diskProgram();
  const judged: Judgement[] = [];
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  for (const signal of signals) process.on(signal, interrupt);
  const scratch = memoryScratch();
  try {
    const machine = await Machine.boot({ folder: scratch, cpu: null });
    try {
      await machine.work(
        { kind: 'replay', file: path.resolve(file) },
        (answer) => {
          if (answer.type === 'judged') judged.push(answer.judgement);
        },
        () => interrupted.signal.aborted,
        0,
      );
    } finally {
      await machine.close();
    }
  } catch (error) {
    if (error instanceof GuestDied && error.panicked) {
      return { verdict: 'unrecoverable', reason: error.message, recovered: null };
    }
    throw interrupted.signal.aborted ? new PlugpullError('interrupted', exitCodes.interrupted) : error;
  } finally {
    if (scratch !== null) rmSync(scratch, { recursive: true, force: true });
    for (const signal of signals) process.off(signal, interrupt);
  }
  const [judgement] = judged;
  if (judgement === undefined) throw new PlugpullError('the guest gave no verdict', exitCodes.ownFailure);
  return judgement;
}
