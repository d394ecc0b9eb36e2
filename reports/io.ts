/** Where reports go: streams and files, which tests put others in the place of. */
import { mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { exitCodes } from '../harness/core/exit-codes.js';
import { PlugpullError } from '../harness/core/errors.js';

export interface Out {
  write(text: string, done?: (error?: Error | null) => void): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface ReportIo {
  stdout: Out;
  stderr: Out;
  env: Record<string, string | undefined>;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
}

export const processIo: ReportIo = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  now: () => performance.now(),
};

/** Writes a whole text; resolves when the stream has taken it. */
export async function writeOut(out: Out, text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    out.write(text, (error) => {
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}

/** Writes a report file; a reader never sees half of it. */
export function writeReport(file: string, text: string): void {
  const unfinished = `${file}.${process.pid}.tmp`;
  try {
    mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
    // A pipe or a device (/dev/stdout) is written to; it must not be replaced.
    if (statSync(file, { throwIfNoEntry: false })?.isFile() === false) {
      writeFileSync(file, text);
      return;
    }
    writeFileSync(unfinished, text);
    renameSync(unfinished, file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    throw new PlugpullError(
      `cannot write the report ${file}: ${code}`,
      exitCodes.ownFailure,
      'the run itself is kept: write the report elsewhere with `plugpull report`',
    );
  }
}
