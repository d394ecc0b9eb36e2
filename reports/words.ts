/** A run in words: what terminal, Markdown and HTML all say. */
import type { FindingEvent } from '../harness/core/events.js';
import { groupBy } from '../harness/core/group-by.js';
import type { CampaignVerdict } from '../harness/core/verdict.js';
import { isViolation, verdicts } from '../harness/core/verdict.js';
import { faultFacts, faultWords } from './fault-facts.js';
import { keptCaveat, missedByKilling } from './power-off.js';
import { settingOf } from './setting.js';
import type { Row } from './summary-row.js';
import type { Control, Summary } from './summary.js';
import { grouped, oneLine, percent, plural } from './text.js';

/** A bound on a probability that is looser than this says nothing, and is not shown. */
export const loosestBound = 0.5;

/** The run's verdict; `unfinished` where it was interrupted or its log has no end, and nothing was violated yet. */
export function verdictOf(summary: Summary): CampaignVerdict | 'unfinished' {
  const { ended } = summary;
  if (ended === null) return summary.violations > 0 ? 'violation' : 'unfinished';
  const broken = ended.verdict === 'violation' || ended.verdict === 'harness-broken';
  return ended.interrupted && !broken ? 'unfinished' : ended.verdict;
}

export function headline(summary: Summary): string {
  const crashes = plural(summary.crashes, 'crash', 'crashes');
  const verdict = verdictOf(summary);
  const controls = controlSentence(summary.controls);
  switch (verdict) {
    case 'held': {
      if (summary.subjects.length === 0 && controls !== null)
        return `Caught: ${controls}${howCaught(summary)}`;
      const killed = killsAlone(summary);
      return [
        `Held${killed ? ' against kills only' : ''}: ${crashes}, 0 violations${shareExplored(summary)}`,
        ...(controls === null ? [] : [controls]),
        ...(killed ? ['power cuts were not tried'] : []),
      ].join('; ');
    }
    case 'violation': {
      const bad = summary.subjects.filter(({ violations }) => violations > 0);
      const names = [...new Set(bad.map(({ target }) => target.id))];
      const systems = [...new Set(bad.flatMap(({ target }) => target.fs ?? []))];
      const where =
        names.length > 1
          ? plural(names.length, 'target')
          : `${names[0] ?? ''}${systems.length > 1 ? ` (on ${listed(systems)})` : ''}`;
      return `Violation: ${where} broke the contract in ${grouped(summary.violations)} of ${crashes}`;
    }
    case 'not-measured':
      return summary.crashes === 0
        ? 'Not measured: no crash was judged, so this run says nothing'
        : `Not enough was measured: ${crashes}, 0 violations`;
    case 'harness-broken':
      return `Harness broken: this run proves nothing (${crashes}, ${plural(summary.violations, 'violation')})`;
    case 'unfinished':
      return `${summary.ended === null ? 'Unfinished' : 'Interrupted'}: ${crashes} so far, 0 violations`;
  }
}

/** Nothing that should hold lost its power, so that no missing flush can have shown. */
function killsAlone({ subjects }: Summary): boolean {
  const tried = subjects.filter(({ crashes }) => crashes > 0);
  return tried.length > 0 && tried.every(({ target }) => target.fault === 'kill');
}

/** ` (12 of 370 crash states)`, where not all of those of one target were explored. */
function shareExplored({ subjects }: Summary): string {
  const [row, ...others] = subjects.filter(({ explored }) => explored !== null);
  const states = row === undefined || others.length > 0 ? null : statesText(row);
  return states?.includes(' of ') === true ? ` (${states} crash states explored)` : '';
}

/** Of a run that tried nothing but controls, and caught them. */
function howCaught({ rows }: Summary): string {
  const [row, ...others] = rows.filter(({ violations }) => violations > 0);
  if (row === undefined || others.length > 0) return '';
  return `, as it should be: ${violationList(row)}, in ${plural(row.crashes, 'crash', 'crashes')}`;
}

/** `ext4, xfs and btrfs` */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}

export function controlSentence(controls: Control[]): string | null {
  if (controls.length === 0) return null;
  const caught = controls.filter((control) => control.caught).length;
  const what = controls.every(({ planted }) => planted) ? 'planted bug' : 'control';
  if (caught < controls.length) return `${grouped(caught)} of ${plural(controls.length, what)} caught`;
  if (controls.length === 1) return `the ${what} was caught`;
  return `${controls.length === 2 ? 'both' : `all ${grouped(caught)}`} ${what}s caught`;
}

/** `torn 3, lost 1`, over all the rows. */
export function violationList(...rows: Row[]): string {
  return verdicts
    .filter(isViolation)
    .map((verdict) => ({ verdict, count: rows.reduce((sum, { counts }) => sum + counts[verdict], 0) }))
    .flatMap(({ verdict, count }) => (count > 0 ? [`${verdict} ${grouped(count)}`] : []))
    .join(', ');
}

export type Status = 'held' | 'violation' | 'caught' | 'missed' | 'unmeasured';

export function statusOf(row: Row, summary: Summary): Status {
  if (row.target.expect === 'caught') {
    if (row.violations > 0) return 'caught';
    return summary.controls.some(({ rows, caught }) => caught && rows.includes(row))
      ? 'unmeasured'
      : 'missed';
  }
  if (row.violations > 0) return 'violation';
  return row.counts.held > 0 ? 'held' : 'unmeasured';
}

/** What a row says, for someone who does not know the words. */
export function meaning(row: Row, summary: Summary): string {
  switch (statusOf(row, summary)) {
    case 'violation':
      return `violated: ${violationList(row)}`;
    case 'caught':
      return `caught, as it should be: ${violationList(row)}`;
    case 'missed':
      return 'wrong on purpose, and NOT caught';
    case 'unmeasured':
      if (row.target.expect === 'caught' && row.counts.held > 0) {
        return `held here; caught ${settingOf(row.target) === null ? 'under another workload' : 'elsewhere'}`;
      }
      return `nothing was measured${because(row)}`;
    case 'held':
      if (row.explored?.exhaustive === true) return `held ${everyState[row.target.rig] ?? everyState.model}`;
      if (row.upperBound !== null && row.upperBound <= loosestBound) {
        return `held; violations ≤ ${percent(row.upperBound)}`;
      }
      if (row.upperBound !== null) return 'held, in few random crashes';
      return row.explored === null ? 'held wherever it was tried' : 'held in every crash state explored';
  }
}

/** What `exhaustive` means: torn writes of a real disk are a sample, and so are the recoveries that are cut. */
const everyState: Record<string, string> & { model: string } = {
  model: 'in every crash state of the model',
  disk: 'with every subset of whole writes lost',
  vm: 'with every subset of whole writes lost',
};

function because(row: Row): string {
  const reason = row.reasons.get('not-measured') ?? row.reasons.get('harness-broken');
  return reason === undefined ? '' : `: ${reason}`;
}

/** `12 of 40,000`, `all 40,000`, `12`: crash states; null where none were explored. */
export function statesText(row: Row): string | null {
  if (row.explored === null) return null;
  const { states, of, exhaustive } = row.explored;
  if (exhaustive) return `all ${grouped(states)}`;
  // "12 of 12" would read as if nothing were left to explore.
  return of === null || of <= states ? grouped(states) : `${grouped(states)} of ${grouped(of)}`;
}

export function coverageText(row: Row): string | null {
  const coverage = row.coverage();
  if (coverage === null) return null;
  const { hit, missed } = coverage;
  return `${grouped(hit.length)} of ${grouped(hit.length + missed.length)}`;
}

/** `kill on folder`, `cut on disk (xfs)` */
export function placeText(at: { fault: string; rig: string; fs?: string }): string {
  return `${at.fault} on ${at.rig}${at.fs === undefined ? '' : ` (${at.fs})`}`;
}

/** The same for a whole table: guests have a row for each of their settings. */
export function tablePlace(at: { fault: string; rig: string; fs?: string }): string {
  return settingOf(at) === null ? placeText(at) : `${at.fault} on ${at.rig}`;
}

/** The explanation without its verdict, which every report shows beside it. */
export function explanationOf({ verdict, explanation }: FindingEvent): string {
  return explanation.startsWith(`${verdict}: `) ? explanation.slice(verdict.length + 2) : explanation;
}

/** The same in its clauses: what the checker said, then what was seen of files and of the disk. */
export function clausesOf(finding: FindingEvent): string[] {
  return explanationOf(finding).split('; ');
}

/** Where the crash of a finding fell. */
export function whereText(finding: FindingEvent): string {
  return `${finding.target}, ${crashText(finding)}`;
}

/** One line that can be pasted to see it again: to a shell, what follows the command is a comment. */
export function violationLine(finding: FindingEvent): string {
  const { replay, verdict, target } = finding;
  return oneLine(`${replay}  # ${verdict}: ${target}, ${placeText(finding)}`);
}

/** The same without the target. */
export function crashText(finding: FindingEvent): string {
  const { plan } = finding;
  const parts = [placeText(finding)];
  const acked = finding.acked < 0 ? 'before anything was acked' : `commit ${grouped(finding.acked)} acked`;
  const recovered =
    finding.recovered === null ? 'nothing recovered' : `commit ${grouped(finding.recovered)} recovered`;
  parts.push(plan.phase === 'create' ? 'during creation' : acked, recovered);
  if (plan.mode === 'step' && plan.step !== undefined) parts.push(`at step ${plan.step}`);
  if (plan.then !== undefined) parts.push('crashed again in recovery');
  // What was explored has no trials of its own.
  parts.push(`${plan.mode === 'state' ? '' : `trial ${grouped(finding.trial)}, `}seed ${finding.seed}`);
  return parts.join(' · ');
}

/** What was tried, one sentence for each fault and rig. */
export function triedSentences(summary: Summary): string[] {
  const tried = [...groupBy(summary.rows, ({ target }) => tablePlace(target))].map(([place, rows]) => {
    const sum = (of: (row: Row) => number): number => rows.reduce((all, row) => all + of(row), 0);
    const fault = rows[0]?.target.fault ?? 'kill';
    const aimed = sum((row) => row.modes.step);
    const random = sum((row) => row.modes.time);
    const states = sum((row) => row.explored?.states ?? 0);
    const parts = [
      ...(aimed > 0 ? [`${grouped(aimed)} at named steps`] : []),
      ...(random > 0 ? [`${grouped(random)} at random moments`] : []),
      ...(states > 0 ? [`${plural(states, 'crash state')} explored`] : []),
    ];
    const again = sum((row) => row.again);
    const tail = again > 0 ? `; ${grouped(again)} crashed again during recovery` : '';
    const targets = new Set(rows.map(({ target }) => target.id)).size;
    return `${place}: ${plural(targets, 'target')}, ${parts.join(', ') || 'no crash'} – ${faultWords[fault]}${tail}.`;
  });
  return [...tried, ...missedByKilling(summary)];
}

/** What the run cannot say: its own caveats, and what its faults are blind to. */
export function caveats(summary: Summary): string[] {
  const own = summary.ended?.caveats ?? [
    'The log of this run has no end: it is still going on, or was broken off.',
  ];
  const faults = new Set(summary.rows.map(({ target }) => target.fault));
  const blind = [...faults]
    .filter((fault) => fault !== 'kill')
    .map((fault) => `${capital(faultWords[fault])} cannot show ${faultFacts[fault].blind}.`);
  const bound = boundSentences(summary);
  const leftOut =
    summary.findingsLeftOut > 0
      ? [`${plural(summary.findingsLeftOut, 'finding')} more are in the run directory and not shown here.`]
      : [];
  const kept = keptCaveat(summary);
  return [
    ...own,
    ...onlyKilled(summary, own),
    ...blind,
    ...(kept === null ? [] : [kept]),
    ...bound,
    ...leftOut,
  ];
}

function boundSentences({ subjects }: Summary): string[] {
  const bounds = subjects.flatMap(({ upperBound }) => upperBound ?? []);
  const few = bounds.filter((bound) => bound > loosestBound).length;
  const loosest = Math.max(0, ...bounds.filter((bound) => bound <= loosestBound));
  return [
    ...(loosest > 0
      ? [
          `Zero violations in n random trials is not proof: it bounds their probability by 3/n with 95 % confidence, ` +
            `here by ${percent(loosest)} ${few > 0 ? 'or less for the other targets' : 'for the target with the fewest trials'}.`,
        ]
      : []),
    ...(few > 0
      ? [
          `${plural(few, 'target')} met fewer than ${3 / loosestBound} random crashes: too few for a bound on the probability of a violation.`,
        ]
      : []),
  ].reverse();
}

/** A kill leaves the page cache: what was not cut as well may lack every flush. */
function onlyKilled(summary: Summary, own: string[]): string[] {
  if (own.some((text) => text.includes('page cache'))) return []; // the run says it itself
  const cut = new Set(summary.subjects.flatMap(({ target }) => (target.fault === 'kill' ? [] : [target.id])));
  const only = [...new Set(summary.subjects.map(({ target }) => target.id))].filter((id) => !cut.has(id));
  if (only.length === 0) return [];
  const names = only.length > 6 ? plural(only.length, 'target') : only.join(', ');
  return [`Only killed, so that a missing flush could not be seen: ${names}.`];
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function noteText({ level, text }: Summary['notes'][number]): string {
  return level === 'warning' ? `Warning: ${text}` : text;
}
