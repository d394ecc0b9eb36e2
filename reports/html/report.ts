/** One offline HTML file: nothing is loaded, and nothing in it can run but the copy buttons. */
import { createHash } from 'node:crypto';
import { shellWords } from '../../harness/core/shell-word.js';
import { faultFacts } from '../fault-facts.js';
import { Histogram } from '../histogram.js';
import type { Summary } from '../summary.js';
import { clip, duration, grouped, oneLine, percent, plural } from '../text.js';
import {
  capital,
  caveats,
  controlSentence,
  headline,
  loosestBound,
  noteText,
  triedSentences,
  verdictOf,
} from '../words.js';
import { crashesInProtocols, protocols, recoveryTimes } from './charts-protocol.js';
import { verdictsOverTrials } from './charts.js';
import { copyScript, findingsSection } from './findings.js';
import { markup, Html, nothing } from './markup.js';
import { style } from './style.js';
import { table } from './table.js';
import { controlsSection, targetsSection } from './targets.js';

const longestConfig = 20_000;

export function htmlReport(summary: Summary): string {
  const { run } = summary;
  const sections = [
    { id: 'findings', name: 'Findings', part: findingsSection(summary) },
    { id: 'targets', name: 'Targets', part: targetsSection(summary) },
    { id: 'controls', name: 'Wrong on purpose', part: controlsSection(summary) },
    { id: 'crashes', name: 'Where the crashes fell', part: crashesSection(summary) },
    { id: 'recovery', name: 'Recovery', part: recoverySection(summary) },
    { id: 'limits', name: 'What this cannot say', part: limitsSection(summary) },
    { id: 'environment', name: 'Environment', part: environmentSection(summary) },
  ].filter(({ part }) => part !== nothing);
  const page = markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy()}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="generator" content="plugpull ${run?.version}" />
        <meta name="color-scheme" content="light dark" />
        <title>${oneLine(headline(summary))} – plugpull</title>
        ${new Html(`<style>${style}</style>`)}
      </head>
      <body>
        <a class="skip" href="#content">Skip to the content</a>
        <header>
          <p class="mast">
            <b>plugpull</b>
            ${run === null ? null : markup`<span>run ${run.run}</span><span>seed ${run.seed}</span><span>${when(run.at)}</span>`}
            ${summary.ended === null ? null : markup`<span>${duration(summary.ended.millis)}</span>`}
          </p>
          ${banner(summary)} ${figures(summary)}
          <nav aria-label="Sections">
            ${sections.map(({ id, name }) => markup`<a href="#${id}">${name}</a>`)}
          </nav>
        </header>
        <main id="content">${sections.map(({ part }) => part)}</main>
        <footer>
          Written by plugpull ${run?.version} from the event log of this run. This file loads nothing from
          anywhere.
        </footer>
        ${new Html(`<script>${copyScript}</script>`)}
      </body>
    </html> `;
  return page.text;
}

/** Nothing may be loaded, embedded or sent; the style sheet is in the page, and so is the one script, by its hash. */
function policy(): string {
  const hash = createHash('sha256').update(copyScript).digest('base64');
  return [
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    `script-src 'sha256-${hash}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

function when(at: string): string {
  return at.replace('T', ' ').replace(/(:\d\d)(?:\.\d+)?Z$/, '$1 UTC');
}

const icons = {
  good: new Html(
    '<svg viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="22" fill="none" stroke="currentColor" stroke-width="4"/><path d="M14 25l7 7 14-16" fill="none" stroke="currentColor" stroke-width="4.5" stroke-linecap="round" stroke-linejoin="round"/></svg>',
  ),
  bad: new Html(
    '<svg viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="22" fill="none" stroke="currentColor" stroke-width="4"/><path d="M16 16l16 16M32 16L16 32" fill="none" stroke="currentColor" stroke-width="4.5" stroke-linecap="round"/></svg>',
  ),
  warn: new Html(
    '<svg viewBox="0 0 48 48" aria-hidden="true"><path d="M24 5L45 42H3z" fill="none" stroke="currentColor" stroke-width="4" stroke-linejoin="round"/><path d="M24 19v11M24 35.5v1" stroke="currentColor" stroke-width="4.5" stroke-linecap="round"/></svg>',
  ),
};
const looks = {
  held: 'good',
  violation: 'bad',
  'harness-broken': 'bad',
  'not-measured': 'warn',
  unfinished: 'warn',
} as const;

/** The verdict in words, its first word large. */
function banner(summary: Summary): Html {
  const look = looks[verdictOf(summary)];
  const text = headline(summary);
  const colon = text.indexOf(': ');
  // A name stays as it is written.
  const detail = verdictOf(summary) === 'violation' ? text.slice(colon + 2) : capital(text.slice(colon + 2));
  const controls = verdictOf(summary) === 'held' ? null : controlSentence(summary.controls);
  const first = summary.ended?.caveats[0];
  return markup`<div class="banner ${look}">
    ${icons[look]}
    <div>
      <h1>${text.slice(0, colon)}</h1>
      <p>${detail}.</p>
      ${controls === null ? null : markup`<p>${capital(controls)}.</p>`}
      ${first === undefined ? null : markup`<p class="note">${clip(first, 400)}</p>`}
    </div>
  </div>`;
}

interface Figure {
  name: string;
  value: string;
  note: string;
  alarm?: boolean;
}

function figures(summary: Summary): Html {
  const { subjects, controls } = summary;
  const caught = controls.filter((control) => control.caught).length;
  const steps = protocols(summary).flatMap((protocol) => protocol.steps);
  const met = steps.filter(({ hit }) => hit).length;
  const explored = subjects.flatMap((row) => row.explored ?? []);
  const states = explored.reduce((sum, part) => sum + part.states, 0);
  const space = explored.reduce<number | null>(
    (sum, { of }) => (sum === null || of === null ? null : sum + of),
    0,
  );
  const bounds = subjects.flatMap(({ upperBound }) =>
    upperBound !== null && upperBound <= loosestBound ? [upperBound] : [],
  );
  const recovery = new Histogram();
  for (const row of subjects) recovery.merge(row.recovery);
  const judged: Figure[] = [
    {
      name: 'Crashes judged',
      value: grouped(summary.crashes),
      note: `of ${plural(new Set(subjects.map(({ target }) => target.id)).size, 'target')} that should hold`,
    },
    {
      name: 'Violations',
      value: grouped(summary.violations),
      note: `${grouped(summary.counts['not-measured'])} crashes not measured`,
      alarm: summary.violations > 0,
    },
  ];
  const shown: Figure[] = [
    ...(subjects.length === 0 && controls.length > 0 ? [] : judged),
    ...(controls.length === 0
      ? []
      : [
          {
            name: 'Planted and caught',
            value: `${caught} of ${controls.length}`,
            note: 'wrong on purpose',
            alarm: caught < controls.length,
          },
        ]),
    ...(steps.length === 0
      ? []
      : [
          {
            name: 'Protocol steps met',
            value: `${grouped(met)} of ${grouped(steps.length)}`,
            note: 'named places a crash can fall',
          },
        ]),
    ...(explored.length === 0
      ? []
      : [
          {
            name: 'Crash states',
            value: grouped(states),
            note: spaceNote(explored, states, space),
          },
        ]),
    ...(bounds.length === 0
      ? []
      : [
          {
            name: 'Violations at most',
            value: percent(Math.max(...bounds)),
            note: 'of random crashes, 95 % sure, in the least tried target',
          },
        ]),
    ...(recovery.total === 0
      ? []
      : [
          {
            name: 'Recovery, median',
            value: duration(recovery.quantile(0.5) ?? 0),
            note: `99 %: ${duration(recovery.quantile(0.99) ?? 0)}`,
          },
        ]),
  ];
  return markup`<dl class="figures">
    ${shown.map(
      ({ name, value, note, alarm }) =>
        markup`<div class="${alarm === true ? 'alarm' : ''}">
          <dt>${name}</dt>
          <dd>${value}<small>${note}</small></dd>
        </div>`,
    )}
  </dl>`;
}

function crashesSection(summary: Summary): Html {
  const over = verdictsOverTrials(summary);
  const inProtocols = crashesInProtocols(summary);
  if (over === nothing && inProtocols === nothing) return nothing;
  return markup`<section id="crashes" aria-labelledby="h-crashes">
    <h2 id="h-crashes">Where the crashes fell</h2>
    <p class="lead">
      Crashes in the order of the run, and by the named step of the protocol after which each one fell.
    </p>
    ${over} ${inProtocols}
  </section>`;
}

function recoverySection(summary: Summary): Html {
  const times = recoveryTimes(summary);
  if (times === nothing) return nothing;
  return markup`<section id="recovery" aria-labelledby="h-recovery">
    <h2 id="h-recovery">Recovery time</h2>
    <p class="lead">From the start of recovery until every invariant was checked, on a logarithmic scale.</p>
    ${times}
  </section>`;
}

function limitsSection(summary: Summary): Html {
  const faults = [...new Set(summary.rows.map(({ target }) => target.fault))];
  return markup`<section id="limits" aria-labelledby="h-limits">
    <h2 id="h-limits">What this run cannot say</h2>
    <ul>
      ${caveats(summary).map((text) => markup`<li>${text}</li>`)}
    </ul>
    <h3>What was tried</h3>
    <ul>
      ${triedSentences(summary).map((text) => markup`<li>${text}</li>`)}
    </ul>
    ${
      faults.length === 0
        ? null
        : table(
            'What each fault loses and finds',
            ['fault', 'what is lost', 'what it finds', 'what it cannot show'].map((head, i) => ({
              head,
              wordy: i > 0,
            })),
            faults.map((fault) => [
              fault,
              faultFacts[fault].lost,
              faultFacts[fault].finds,
              faultFacts[fault].blind,
            ]),
          )
    }
    ${
      summary.skipped.length === 0
        ? null
        : markup`<h3>What was not tried</h3>
            ${table(
              'What was not tried',
              ['what', 'why not', 'how to get it'].map((head, i) => ({ head, wordy: i > 0 })),
              summary.skipped.map(({ what, reason, remedy }) => [what, reason, remedy ?? '–']),
            )}`
    }
    ${
      summary.notes.length === 0
        ? null
        : markup`<h3>Notes</h3>
            <ul>
              ${summary.notes.map((note) => markup`<li>${noteText(note)}</li>`)}
            </ul>`
    }
  </section>`;
}

function environmentSection({ run, ended }: Summary): Html {
  if (run === null) return nothing;
  const facts: [string, string][] = [
    ['command', shellWords(['plugpull', ...run.argv])],
    ['seed', String(run.seed)],
    ['shard', `${run.shard.index} of ${run.shard.of}`],
    ['began', when(run.at)],
    ...(ended === null ? [] : [['ended', when(ended.at)] as [string, string]]),
    ...Object.entries(run.machine),
  ];
  return markup`<section id="environment" aria-labelledby="h-environment">
    <h2 id="h-environment">Environment</h2>
    <dl class="facts">
      ${facts.map(
        ([name, value]) =>
          markup`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    <details>
      <summary>Configuration</summary>
      <pre tabindex="0">${clip(JSON.stringify(run.config, null, 2), longestConfig)}</pre>
    </details>
  </section>`;
}

/** How much of what there is was explored: not more than is known. */
function spaceNote(parts: { exhaustive: boolean }[], states: number, space: number | null): string {
  if (parts.every(({ exhaustive }) => exhaustive)) return 'all there can be';
  return space === null || space <= states ? 'not all there can be' : `of ${grouped(space)} there can be`;
}
