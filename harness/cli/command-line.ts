/** Command lines that a reader can paste. */
import { programName } from '../core/program-name.js';
import { shellWords } from '../core/shell-word.js';

/** The command that is running, and more flags. */
export function sameCommandWith(flags: readonly string[]): string {
  return shellWords([programName(), ...process.argv.slice(2), ...flags]);
}
