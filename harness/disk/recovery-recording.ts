/** Records what a recovery writes: a crash state is made again on a recording disk, mounted, recovered and checked there. */
import { execa } from 'execa';
import { rmSync } from 'node:fs';
import path from 'node:path';
import type { SubjectCheck } from '../subjects/subject.js';
import type { Checker } from './checker.js';
import { diskProgram } from './line-process.js';
import { onRecordedDisk } from './recorded-disk.js';
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
  const { result, files } = await onRecordedDisk(
    { folder, fs: outer.fs, what: 'the recording of a recovery' },
    (image) => execa(diskProgram(), ['restore', saved, image]),
    async ({ place, mark }) => {
      mark(beginMark);
      await place.mount();
      const check = await checker.check(path.join(place.folder, dataFolder), acked);
      // What recovery gave, later cuts must not lose.
      if (check.state !== null) mark(ackMark(check.state));
      // Where files lie after recovery is asked first.
      const here = { commit: Number.MAX_SAFE_INTEGER, extents: await place.map() };
      return { check, maps: [here, ...outer.maps] };
    },
  );
  const { check, maps } = result;
  const millis = performance.now() - started;
  const recording = { fs: outer.fs, ...files, maps, acked, log: check.log, trouble: null, millis };
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
