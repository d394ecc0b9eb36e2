/** `plugpull doctor`: what this machine can do, what it lacks, and how to get it. */
import { Command } from 'commander';
import { exitCodes } from '../core/exit-codes.js';
import { diagnoseImages } from '../campaign/diagnose-images.js';
import { diagnose, type Finding } from '../campaign/diagnose.js';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('what this machine can do, what it lacks, and how to get it')
    .option('--json', 'print JSON')
    .action(async (flags: { json?: boolean }) => {
      const findings = [...(await diagnose()), ...(await diagnoseImages())];
      if (flags.json === true) {
        process.stdout.write(`${JSON.stringify({ schema: 'plugpull.doctor/1', findings }, null, 2)}\n`);
      } else {
        for (const finding of findings) process.stdout.write(lines(finding));
      }
      // What is only optional may be missing.
      process.exitCode = findings.some(({ state }) => state === 'missing')
        ? exitCodes.unavailable
        : exitCodes.held;
    });
}

const marks = { ok: 'ok      ', optional: 'optional', missing: 'missing ' };

function lines({ state, what, detail, remedy }: Finding): string {
  const first = `${marks[state]}  ${what.padEnd(28)} ${detail}\n`;
  return remedy === undefined ? first : `${first}${' '.repeat(10)}${remedy}\n`;
}
