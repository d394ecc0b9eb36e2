/** Every error becomes a sentence on stderr and an exit status. */
import { CommanderError } from 'commander';
import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';

export function complain(error: unknown): number {
  if (error instanceof CommanderError) {
    // Help and version that were asked for are no error.
    return error.exitCode === 0 ? 0 : exitCodes.usage;
  }
  if (error instanceof PlugpullError) {
    process.stderr.write(`plugpull: ${error.message}\n`);
    if (error.remedy !== undefined) process.stderr.write(`  ${error.remedy}\n`);
    return error.exitCode;
  }
  process.stderr.write(
    `plugpull: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return exitCodes.ownFailure;
}

/** What nobody caught must not look like a violation, as the exit status 1 of Node would. */
export function complainOfTheUncaught(): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => process.exit(complain(error)));
  }
}
