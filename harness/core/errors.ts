import { exitCodes } from './exit-codes.js';

/** An error with a way out for the person at the keyboard: printed without a stack, with its exit code. */
export class PlugpullError extends Error {
  override name = 'PlugpullError';
  constructor(
    message: string,
    readonly exitCode: number,
    /** What to do about it. */
    readonly remedy?: string,
  ) {
    super(message);
  }
}

export class UsageError extends PlugpullError {
  override name = 'UsageError';
  constructor(message: string, remedy?: string) {
    super(message, exitCodes.usage, remedy);
  }
}

/** This machine lacks what was asked for. */
export class UnavailableError extends PlugpullError {
  override name = 'UnavailableError';
  constructor(message: string, remedy?: string) {
    super(message, exitCodes.unavailable, remedy);
  }
}

/** What the operating system refused our own files, in words: a full disk is no fault of ours. */
export function storageError(error: unknown, what: string): PlugpullError {
  if (error instanceof PlugpullError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  if (noSpace.includes(code)) {
    return new UnavailableError(
      `${what}: no space left on its disk`,
      'make room, then go on by `run --resume`',
    );
  }
  return new PlugpullError(`${what}: ${code}`, exitCodes.ownFailure);
}

const noSpace = ['ENOSPC', 'EDQUOT'];
