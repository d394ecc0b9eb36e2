/** A recording disk for as long as something works on it: files, recorder and hand are there, and all of it ends well or is told. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import type { FileSystem } from './file-systems.js';
import { LineProcess } from './line-process.js';
import { RecordedMount } from './recorded-mount.js';

export interface RecordedDisk {
  recorder: LineProcess;
  /** Its file system, not mounted yet; what `work` mounts is unmounted after it. */
  place: RecordedMount;
  mark: (text: string) => void;
  /** Where others can write marks. */
  marksFile: string;
}

export interface DiskFiles {
  base: string;
  trace: string;
}

/**
 * @param folder an empty folder for image and trace
 * @param what is recorded, for errors
 * @param makeImage makes the image before the recording
 * @returns what `work` gave, the files, and the recorder's last line
 */
export async function onRecordedDisk<T>(
  { folder, fs, what }: { folder: string; fs: FileSystem; what: string },
  makeImage: (file: string) => Promise<unknown>,
  work: (disk: RecordedDisk) => Promise<T>,
): Promise<{ result: T; files: DiskFiles; summary: string }> {
  const files = { base: path.join(folder, 'base.img'), trace: path.join(folder, 'trace') };
  const fuse = path.join(folder, 'fuse');
  const mount = path.join(folder, 'mount');
  mkdirSync(fuse);
  mkdirSync(mount);
  await makeImage(files.base);
  const { base, trace } = files;
  const recorder = await LineProcess.start('record', '--image', base, '--trace', trace, '--mount', fuse);
  const [ended] = await Promise.allSettled([
    onMounted(
      { recorder, fs, disk: path.join(fuse, 'disk'), marksFile: path.join(fuse, 'mark'), mount },
      work,
    ),
  ]);
  await recorder.close('quit');
  if (recorder.death !== null) throw causeOf(recorder.death, ended);
  if (ended.status === 'rejected') throw ended.reason;
  const result = ended.value;
  const summary = await recorder.line().catch((error: unknown) => (error as Error).message);
  if (!summary.startsWith('done ')) {
    throw new PlugpullError(`${what} did not end well: ${summary}`, exitCodes.ownFailure);
  }
  return { result, files, summary };
}

async function onMounted<T>(
  {
    recorder,
    fs,
    disk,
    marksFile,
    mount,
  }: { recorder: LineProcess; fs: FileSystem; disk: string; marksFile: string; mount: string },
  work: (disk: RecordedDisk) => Promise<T>,
): Promise<T> {
  const hand = await LineProcess.start('hand');
  try {
    const place = new RecordedMount(hand, fs, disk, mount);
    const marks = openSync(marksFile, 'w');
    let result: T;
    try {
      const mark = (text: string): void => void writeSync(marks, text);
      result = await work({ recorder, place, mark, marksFile });
    } finally {
      closeSync(marks);
    }
    await place.unmount();
    return result;
  } finally {
    // A checker that was stopped may still hold a file of it.
    await hand.close();
  }
}

/** Whoever works on the disk of a recorder that is gone sees errors; this says where they came from. */
function causeOf(death: PlugpullError, seen: PromiseSettledResult<unknown>): PlugpullError {
  if (seen.status === 'fulfilled' || death.exitCode !== exitCodes.ownFailure) return death;
  return new PlugpullError(`${death.message}; then: ${(seen.reason as Error).message}`, exitCodes.ownFailure);
}
