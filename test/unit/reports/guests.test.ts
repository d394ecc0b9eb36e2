import { expect } from 'chai';
import type { RunEvent } from '../../../harness/core/events.js';
import { htmlReport } from '../../../reports/html/report.js';
import { jsonReport } from '../../../reports/json.js';
import { junitXml } from '../../../reports/junit.js';
import { markdownReport } from '../../../reports/markdown.js';
import { Summary } from '../../../reports/summary.js';
import { campaignEvents, violatedShape } from '../../support/events.js';

const guest = 'Linux 6.1.0-41-amd64 (linux-image-amd64 6.1.158-1); image 6.1-abc; QEMU 7.2.22, tcg';

/** The events of a run, with what ran in its guests. */
function* withGuests(): Generator<RunEvent> {
  for (const event of campaignEvents(violatedShape)) {
    if (event.type === 'finding') yield { ...event, guest };
    else yield event;
    if (event.type === 'run-started')
      yield { type: 'note', level: 'info', text: `guests of 6.1: ${guest}, as a note` };
  }
}

describe('what ran in guests', () => {
  const summary = new Summary();
  for (const event of withGuests()) summary.on(event);
  const { number } = summary.unexpectedFindings[0]!;

  it('is in every report, and beside each finding', () => {
    const texts = {
      markdown: markdownReport(summary).replaceAll('\\', ''),
      junit: junitXml(summary),
      html: htmlReport(summary),
    };
    for (const [name, text] of Object.entries(texts)) {
      expect(text, name).to.contain(`guests of 6.1: ${guest}, as a note`);
      expect(text.toLowerCase(), name).to.contain(`in a guest: ${guest.toLowerCase()}`);
    }
    const report = jsonReport(summary);
    expect(report.findings.find((finding) => finding.number === number)?.guest).to.equal(guest);
    expect(report.notes.map(({ text }) => text)).to.include(`guests of 6.1: ${guest}, as a note`);
  });
});
