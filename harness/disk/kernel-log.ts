/** What the kernel logged about file systems a moment ago. */
import { execa } from 'execa';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { isLogged, tellsCorruption } from './file-systems.js';

const lines = 40;
/** More than any kernel keeps. */
const maxRecords = 1_000_000;
const keptRecords = 1000;

/**
 * The last lines of the kernel's log that are at most so old; empty where it may not be read.
 * @param device leaves out what is said of other devices: states are mounted in parallel. Null: not known
 */
export async function kernelLog(millis: number, device: string | null = null): Promise<string> {
  const read = await execa(
    'dmesg',
    ['--time-format', 'raw', '--since', `-${Math.ceil(millis / 1000) + 1}s`],
    {
      reject: false,
      timeout: 5000,
    },
  );
  const all =
    read.exitCode === 0 ? read.stdout : (await execa('dmesg', { reject: false, timeout: 5000 })).stdout;
  return all
    .split('\n')
    .filter((line) => concerns(line, device))
    .slice(-lines)
    .join('\n');
}

/** Is it about a file system, and not about one on another loop device? */
export function concerns(line: string, device: string | null): boolean {
  const named: string[] = line.match(/\bloop\d+/g) ?? [];
  if (named.length === 0) return isLogged(line);
  return device === null || named.includes(device);
}

/** The first line in which the kernel calls a device's file system corrupt, or null. @param device `loop3` */
export function corruptionIn(log: string, device: string): string | null {
  const named = new RegExp(`\\b${device}\\b`);
  const line = log.split('\n').find((one) => named.test(one) && tellsCorruption(one));
  return line === undefined ? null : `the kernel: ${line.replace(/^\[[^\]]*\]\s*/, '').trim()}`;
}

/** Gives what the kernel logs from now on: by its own record of it, since a second of the clock is too coarse. */
export function listenToKernel(): () => string {
  let fd: number;
  try {
    fd = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return () => ''; // it may not be read here
  }
  drain(fd);
  return () => {
    try {
      return drain(fd).join('\n');
    } finally {
      closeSync(fd);
    }
  };
}

/** Each read gives one record: `level,number,micros,flags;text`. */
function drain(fd: number): string[] {
  const texts: string[] = [];
  const record = Buffer.alloc(8192);
  for (let reads = 0; reads < maxRecords; reads++) {
    try {
      const [, text = ''] = record.toString('utf8', 0, readSync(fd, record)).split(/;(.*)/s);
      texts.push(text.split('\n')[0] ?? '');
    } catch (error) {
      // EPIPE: records were overwritten before they were read.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') break;
    }
    if (texts.length > keptRecords) texts.shift();
  }
  return texts;
}
