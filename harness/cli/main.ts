/** The command line: parses, runs one command, and turns every error into a sentence and an exit code. */
import { Command } from 'commander';
import { version } from '../core/version.js';
import { complain, complainOfTheUncaught } from './complain.js';
import { certifyCommand } from './certify.js';
import { doctorCommand } from './doctor.js';
import { imageCommand } from './image.js';
import { listCommand } from './list.js';
import { mergeCommand } from './merge.js';
import { replayCommand } from './replay.js';
import { reportCommand } from './report.js';
import { runCommand } from './run.js';

function program(): Command {
  const main = new Command('plugpull')
    .description('Pulls the plug on programs that keep their data in files, and proves what is left.')
    .version(version)
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ sortSubcommands: false });
  for (const command of [
    runCommand(),
    replayCommand(),
    certifyCommand(),
    reportCommand(),
    mergeCommand(),
    listCommand(),
    imageCommand(),
    doctorCommand(),
  ]) {
    main.addCommand(command.exitOverride().showSuggestionAfterError());
  }
  main.addHelpText(
    'after',
    `
Exit status: 0 held, 1 violation, 2 not measured or too little, 64 wrong use, 69 this machine lacks
what was asked for, 70 our own failure, 130 interrupted.`,
  );
  return main;
}

complainOfTheUncaught();

// `plugpull report | head` is no failure of ours, nor is a terminal that was closed.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}

try {
  const argv = process.argv.length > 2 ? process.argv : [...process.argv, '--help'];
  await program().parseAsync(argv);
} catch (error) {
  process.exitCode = complain(error);
}
