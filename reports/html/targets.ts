/** Who was tortured and what came of it: a matrix for the eye, and the whole table. */
import type { Row } from '../summary-row.js';
import type { Summary } from '../summary.js';
import { clip, duration, grouped } from '../text.js';
import { coverageText, meaning, placeText, statesText, statusOf, violationList } from '../words.js';
import { targetsCompared } from './charts.js';
import { kindsOf } from '../kinds.js';
import { kindCards } from './findings.js';
import { Html, markup, nothing } from './markup.js';
import { backendMatrices, guestMatrices } from './matrices.js';
import { pill } from './pill.js';
import { table } from './table.js';

/** Findings of controls that are shown whole. */
const mostCards = 40;

export function targetsSection(summary: Summary): Html {
  const { subjects } = summary;
  if (subjects.length === 0) return nothing;
  return markup`<section id="targets" aria-labelledby="h-targets">
    <h2 id="h-targets">Targets</h2>
    <p class="lead">
      After every crash the data must be those of the last acknowledged commit, or of the one that was in
      flight: nothing older, nothing in between, nothing newer.
    </p>
    ${backendMatrices(subjects, summary)} ${guestMatrices(subjects)} ${targetTable('Targets that should hold', subjects, summary)}
    ${targetsCompared(summary)}
  </section>`;
}

function targetTable(caption: string, rows: Row[], summary: Summary): Html {
  const withStates = rows.some(({ explored }) => explored !== null);
  const withSteps = rows.some((row) => row.coverage() !== null);
  return table(
    caption,
    [
      { head: 'target' },
      { head: 'crash' },
      { head: 'verdict', wordy: true },
      { head: 'crashes', number: true },
      { head: 'unmeasured', number: true },
      ...(withSteps ? [{ head: 'steps met', number: true }] : []),
      ...(withStates ? [{ head: 'crash states', number: true }] : []),
      { head: 'recovery, median', number: true },
    ],
    rows.map((row) => [
      row.target.id,
      markup`<span class="whole">${placeText(row.target)}</span>`,
      markup`${pill(statusOf(row, summary))}<span class="cell">${said(row, summary)}</span>`,
      grouped(row.crashes),
      grouped(row.counts['not-measured'] + row.counts['harness-broken']),
      ...(withSteps ? [coverageText(row) ?? '–'] : []),
      ...(withStates ? [statesText(row) ?? '–'] : []),
      row.recovery.total === 0 ? '–' : duration(row.recovery.quantile(0.5) ?? 0),
    ]),
  );
}

/** What it means, without the word that is beside it. */
function said(row: Row, summary: Summary): string {
  return clip(
    meaning(row, summary).replace(/^(?:held[;,]? |violated: |caught, |nothing was measured: )/, ''),
    300,
  );
}

export function controlsSection(summary: Summary): Html {
  const { controls } = summary;
  if (controls.length === 0) return nothing;
  const caught = kindsOf(summary.expectedFindings).slice(0, mostCards);
  const first = (names: string[]): string => {
    const finding = summary.expectedFindings.find(({ target }) => names.includes(target));
    return finding === undefined ? '–' : clip(finding.explanation, 300);
  };
  return markup`<section id="controls" aria-labelledby="h-controls">
    <h2 id="h-controls">Wrong on purpose</h2>
    <p class="lead">
      A run that finds nothing means little unless it would have found something. These were planted, and had
      to be caught.
    </p>
    ${table(
      'Planted bugs and controls',
      [
        { head: 'what is wrong' },
        { head: 'verdict' },
        { head: 'crashes', number: true },
        { head: 'caught as' },
        { head: 'how it showed first', wordy: true },
      ],
      controls.map(({ name, rows, caught }) => [
        name,
        pill(caught ? 'caught' : 'missed'),
        grouped(rows.reduce((sum, { crashes }) => sum + crashes, 0)),
        violationList(...rows) || '–',
        first(rows.map(({ target }) => target.id)),
      ]),
    )}
    ${guestMatrices(controls.flatMap(({ rows }) => rows))}
    ${
      caught.length === 0
        ? null
        : markup`<details${new Html(summary.subjects.length === 0 ? ' open' : '')}>
          <summary>How ${caught.length === 1 ? 'it was' : 'they were'} caught</summary>
          ${caught.map(kindCards)}
        </details>`
    }
  </section>`;
}
