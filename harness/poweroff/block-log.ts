/** The block log of a guest's disk: turned into a trace, and into the disk that a power cut would have left. */
import { execa } from 'execa';
import { diskProgram } from '../disk/line-process.js';
import type { StateName } from '../disk/state-source.js';

const millis = 120_000;

export interface DiskParts {
  /** Bytes that the file system takes, at the disk's start. */
  bytes: number;
  /** Where the place for marks is. */
  marksAt: number;
}

/** Rejects where the log is none. @param trace file that is made */
export async function traceOfLog(log: string, trace: string, { bytes, marksAt }: DiskParts): Promise<void> {
  const parts = ['--image-bytes', String(bytes), '--marks-at', String(marksAt)];
  await execa(diskProgram(), ['convert', '--from-dmlog', log, '--trace', trace, ...parts], {
    timeout: millis,
  });
}

export interface StateImage extends StateName {
  /** The whole disk before the run. */
  base: string;
  trace: string;
  /** Bytes that a write can be torn at. */
  unit: number;
}

/** Makes the sparse file `image`: the whole disk, with what survived of the trace. */
export async function makeStateImage(state: StateImage, image: string): Promise<void> {
  const { base, trace, epoch, choices, unit } = state;
  const which = ['--epoch', String(epoch), '--choices', choices, '--unit', String(unit)];
  await execa(diskProgram(), ['state', '--base', base, '--trace', trace, ...which, '--image', image], {
    timeout: millis,
  });
}

/** Writes a disk's content as a trace: what a bundle holds. @param bytes of its start that count */
export async function saveDisk(image: string, bytes: number, file: string): Promise<void> {
  await execa(diskProgram(), ['save', image, file, '--bytes', String(bytes)], { timeout: millis });
}

/** Copies a disk, its holes as holes. */
export async function copyDisk(from: string, to: string): Promise<void> {
  await execa('cp', ['--sparse=always', '--reflink=auto', from, to], { timeout: millis });
}
