/** The findings: what broke, where, what was on the medium, and how to see it again. */
import type { FindingEvent } from '../../harness/core/events.js';
import type { Summary } from '../summary.js';
import { grouped, lines, oneLine, plural } from '../text.js';
import { kindsOf, othersText, type Kind } from '../kinds.js';
import { capital, crashText, explanationOf } from '../words.js';
import { markup, nothing, type Html } from './markup.js';
import { timeline } from './timeline.js';

/** So many are shown open; the others can be opened. */
const open = 5;

export function findingsSection(summary: Summary): Html {
  const findings = summary.unexpectedFindings;
  if (findings.length === 0) return nothing;
  const kinds = kindsOf(findings);
  const rest = kinds.slice(open);
  return markup`<section id="findings" aria-labelledby="h-findings">
    <h2 id="h-findings">Findings</h2>
    <p class="lead">
      ${plural(findings.length, 'violation')} kept as evidence, with the files as they were right after the
      crash. Each can be seen again by its command.
    </p>
    ${kinds.slice(0, open).map(kindCards)}
    ${
      rest.length === 0
        ? null
        : markup`<details>
            <summary>${plural(rest.length, 'more kind')} of finding</summary>
            ${rest.map(kindCards)}
          </details>`
    }
    ${
      summary.findingsLeftOut === 0
        ? null
        : markup`<p>${grouped(summary.findingsLeftOut)} more are in the run directory.</p>`
    }
  </section>`;
}

/** One of a kind, and the others behind a click. */
export function kindCards(kind: Kind): Html {
  const others = othersText(kind);
  return markup`${findingCard(kind.shown)}${
    others === null
      ? null
      : markup`<details class="others">
          <summary>${capital(others)}</summary>
          ${kind.others.map(findingCard)}
        </details>`
  }`;
}

function findingCard(finding: FindingEvent): Html {
  return markup`<article class="finding${finding.expected ? ' expected' : ''}" id="finding-${finding.number}">
    <h3>
      <span class="pill ${finding.expected ? 'caught' : 'violation'}">${finding.verdict}</span>
      ${finding.target} <span class="cell">no. ${finding.number}</span>
    </h3>
    <p class="what">${lines(explanationOf(finding))}</p>
    <p class="where">${crashText(finding)}<br />Evidence: <code>${finding.folder}</code>${bundleOf(finding)}${guestOf(finding)}</p>
    ${timeline(finding)} ${replay(oneLine(finding.replay))}
  </article>`;
}

/** The model has no files that a crash leaves, but a way to make their state again. */
function bundleOf({ bundle, rig }: FindingEvent): Html {
  return markup`${rig === 'model' ? null : markup`, the files as the crash left them in its <code>after-crash</code>`}${
    bundle === null ? null : markup`; all in one file: <code>${bundle}</code>`
  }`;
}

function guestOf({ guest }: FindingEvent): Html | null {
  return guest === undefined ? null : markup`<br />In a guest: ${guest}`;
}

/** A click selects the whole line even where scripts are off. */
function replay(line: string): Html {
  return markup`<div class="replay">
    <code tabindex="0" aria-label="Command that shows it again">${line}</code
    ><button type="button" data-copy hidden>Copy</button>
  </div>`;
}

/** Copies the command beside a button. The only script of the report; without it the buttons stay hidden. */
export const copyScript = `
for (const button of document.querySelectorAll('[data-copy]')) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
}
`;
