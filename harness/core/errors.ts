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
