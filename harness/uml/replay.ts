/** Shows a crash state of a real file system again without root: inside user-mode Linux. */
import path from 'node:path';
import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { diskProgram } from '../disk/line-process.js';
import type { Judgement } from '../oracle/judge.js';
import { Machine } from './machine.js';

/** @param file a bundle; it is not changed */
export async function replayInUml(file: string): Promise<Judgement> {
  diskProgram();
  const machine = await Machine.boot({ folder: null, cpu: null });
  // Ctrl-C ends this process at once, and with it the guard, the machine and all that was in its memory.
  const judged: Judgement[] = [];
  try {
    const job = { kind: 'replay', file: path.resolve(file) } as const;
    await machine.work(
      job,
      (answer) => {
        if (answer.type === 'judged') judged.push(answer.judgement);
      },
      () => false,
      0,
    );
  } finally {
    await machine.close();
  }
  const [judgement] = judged;
  if (judgement === undefined) throw new PlugpullError('the guest gave no verdict', exitCodes.ownFailure);
  return judgement;
}
