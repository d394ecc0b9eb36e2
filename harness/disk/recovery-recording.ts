/** Records what a recovery writes: a crash state is made again on a recording disk, mounted, recovered and checked there. */
import { execa } from 'execa';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import type { SubjectCheck } from '../subjects/subject.js';
import type { Checker } from './checker.js';
import { diskProgram, LineProcess } from './line-process.js';
import { RecordedMount } from './recorded-mount.js';
import { dataFolder, type Recording } from './recording.js';
import { ackMark, beginMark, type TraceIndex } from './trace-index.js';
import type { AckedRange } from './verdict.js';

export interface RecordedRecovery {
  recording: Recording;
  check: SubjectCheck;
}

/**
 * @param outer the recording that the state belongs to
 * @param saved the state, as a source saved it
 * @param folder an empty folder for image and trace
 */
export async function recordRecovery(
  outer: Recording,
  saved: string,
  checker: Checker,
  acked: number,
  folder: string,
): Promise<RecordedRecovery> {
  const started = performance.now();
  const base = path.join(folder, 'base.img');
  const trace = path.join(folder, 'trace');
  const fuse = path.join(folder, 'fuse');
  const mount = path.join(folder, 'mount');
  mkdirSync(fuse);
  mkdirSync(mount);
  await execa(diskProgram(), ['restore', saved, base]);
  const recorder = await LineProcess.start('record', '--image', base, '--trace', trace, '--mount', fuse);
  let check: SubjectCheck;
  const maps = [...outer.maps];
  try {
    const hand = await LineProcess.start('hand');
    try {
      const place = new RecordedMount(hand, outer.fs, path.join(fuse, 'disk'), mount);
      const marks = openSync(path.join(fuse, 'mark'), 'w');
      try {
        writeSync(marks, beginMark);
        await place.mount();
        check = await checker.check(path.join(mount, dataFolder), acked);
        // What recovery gave, later cuts must not lose.
        if (check.state !== null) writeSync(marks, ackMark(check.state));
        // Where files lie after recovery is asked first.
        maps.unshift({ commit: Number.MAX_SAFE_INTEGER, extents: await place.map() });
      } finally {
        closeSync(marks);
      }
      await place.unmount();
    } finally {
      // A checker that was stopped may still hold a file of it.
      await hand.close();
    }
  } finally {
    await recorder.close('quit');
  }
  const summary = await recorder.line().catch((error: unknown) => (error as Error).message);
  if (!summary.startsWith('done ')) {
    throw new PlugpullError(`the recording of a recovery did not end well: ${summary}`, exitCodes.ownFailure);
  }
  const millis = performance.now() - started;
  const recording = { fs: outer.fs, base, trace, maps, acked, log: check.log, trouble: null, millis };
  return { recording, check };
}

export function dropRecording({ base, trace }: Recording): void {
  rmSync(base, { force: true });
  rmSync(trace, { force: true });
}

/** The index of a recorded recovery: what had been acked before the first cut stays acked. */
export function afterCut(index: TraceIndex, { first, last }: AckedRange): TraceIndex {
  return {
    ...index,
    acked: Math.max(index.acked, last),
    epochs: index.epochs.map((epoch) => ({
      ...epoch,
      ackedFirst: Math.max(epoch.ackedFirst, first),
      ackedLast: Math.max(epoch.ackedLast, last),
      pending: epoch.pending.map((one) => ({ ...one, acked: Math.max(one.acked, first) })),
    })),
  };
}
