/** `plugpull doctor`: what this machine can do, what it lacks, and how to get it. */
import { Command } from 'commander';
import { programName } from '../core/program-name.js';
import { exitCodes } from '../core/exit-codes.js';
import { diagnoseImages } from '../campaign/diagnose-images.js';
import { diagnose, type Finding } from '../campaign/diagnose.js';
import { answers, type Answer } from './answers.js';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('what this machine can do, what it lacks, and how to get it')
    .option('--json', 'print JSON')
    .action(async (flags: { json?: boolean }) => {
      const asked = await answers();
      const findings = [...(await diagnose()), ...(await diagnoseImages())].map(byItsName);
      if (flags.json === true) {
        process.stdout.write(
          `${JSON.stringify({ schema: 'plugpull.doctor/1', answers: asked, findings }, null, 2)}\n`,
        );
      } else {
        for (const answer of asked) process.stdout.write(answerLines(answer));
        process.stdout.write('\n');
        for (const finding of findings) process.stdout.write(lines(finding));
      }
      // What is only optional may be missing.
      process.exitCode = findings.some(({ state }) => state === 'missing')
        ? exitCodes.unavailable
        : exitCodes.held;
    });
}

/** Remedies that are commands of ours begin with what our program is called here. */
function byItsName(finding: Finding): Finding {
  const { remedy } = finding;
  if (remedy?.startsWith('plugpull ') !== true) return finding;
  return { ...finding, remedy: remedy.replace('plugpull', programName()) };
}

function answerLines({ question, can, detail, then }: Answer): string {
  const said = `${can ? 'yes' : 'no'}${detail === '' ? '' : can ? ` (${detail})` : `: ${detail}`}`;
  return `${question} ${said}\n    ${then}\n`;
}

const marks = { ok: 'ok      ', optional: 'optional', missing: 'missing ' };

function lines({ state, what, detail, remedy }: Finding): string {
  const first = `${marks[state]}  ${what.padEnd(28)} ${detail}\n`;
  return remedy === undefined ? first : `${first}${' '.repeat(10)}${remedy}\n`;
}
