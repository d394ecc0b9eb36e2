/** What `plugpull replay` says: what was checked, what came of it, and how to record the run anew. */
import { UnavailableError } from '../core/errors.js';
import { shellWord } from '../core/shell-word.js';
import type { Judgement } from '../oracle/judge.js';
import type { FindingRecord, RunRecord } from '../store/findings.js';
import { recordAnew } from './command-line.js';

export interface Told {
  target: FindingRecord['target'];
  verdict: FindingRecord['verdict'];
  explanation?: string;
  /** What was looked at. */
  checked: string;
  /** Folder of the files as the crash left them; null where none were kept. */
  files: string | null;
  run: RunRecord | null;
  attempts: number;
}

/** The shell's own exit statuses for a program that is not there or cannot be run. */
const notStarted = /^check: (exit 12[67], .*)/;

export function tell(told: Told, judgement: Judgement, json: boolean): void {
  const { target, attempts, files, run, checked, explanation } = told;
  const why = target.kind === 'command' ? notStarted.exec(judgement.reason ?? '')?.[1] : undefined;
  // That says nothing of the data, unless it is what was found then.
  if (why !== undefined && explanation?.includes(why) !== true) {
    throw new UnavailableError(
      `the check could not be started, so nothing was checked: ${why}`,
      run === null
        ? 'replay it in the folder where the campaign ran'
        : `the campaign ran in ${run.cwd}: is that the program still there?`,
    );
  }
  const same = judgement.verdict === told.verdict;
  const anew = run === null ? null : recordAnew(run);
  if (json) {
    const { verdict, reason, recovered } = judgement;
    const more = { recorded: told.verdict, same, attempts, checked, explanation, files, anew };
    process.stdout.write(
      `${JSON.stringify({ schema: 'plugpull.replay/1', verdict, reason, recovered, ...more })}\n`,
    );
    return;
  }
  const outcome =
    judgement.reason === undefined ? judgement.verdict : `${judgement.verdict}: ${judgement.reason}`;
  const compared = same
    ? 'the same verdict as recorded'
    : judgement.verdict === 'held'
      ? `it was recorded as ${told.verdict}, and now holds`
      : `it was recorded as ${told.verdict}`;
  const lines = [
    `${target.id}  ${outcome}`,
    `  ${compared}; ${attempts} attempt${attempts === 1 ? '' : 's'}`,
    `  checked: ${checked}`,
    ...(explanation === undefined ? [] : [`  recorded: ${explanation}`]),
    ...(files === null ? [] : [`  files as the crash left them: ${shellWord(files)}`]),
    ...(anew === null ? [] : ['  After a change of the program, crash it anew:', `    ${anew}`]),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
