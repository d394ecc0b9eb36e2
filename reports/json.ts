/** `--json`: one versioned object. Its shape is docs/report.schema.json. */
import type { FindingEvent } from '../harness/core/events.js';
import type { Violation } from '../harness/core/verdict.js';
import { reportSchema, type JsonReport } from './json-schema.js';
import type { Explored, Row } from './summary-row.js';
import type { Summary } from './summary.js';
import { caveats, headline, verdictOf } from './words.js';

export function jsonReport(summary: Summary): JsonReport {
  const { run, ended } = summary;
  const verdict = verdictOf(summary);
  const { controls } = summary;
  const missed = controls.filter(({ caught }) => !caught);
  return {
    schema: reportSchema,
    // A run that has not ended has measured nothing yet that it could stand for.
    verdict: verdict === 'unfinished' ? 'not-measured' : verdict,
    exitCode: ended?.exitCode ?? null,
    complete: ended !== null && !ended.interrupted,
    headline: headline(summary),
    run:
      run === null
        ? null
        : {
            id: run.run,
            version: run.version,
            startedAt: run.at,
            endedAt: ended?.at ?? null,
            millis: ended?.millis ?? null,
            argv: run.argv,
            seed: run.seed,
            shard: { index: run.shard.index, of: run.shard.of },
            machine: run.machine,
          },
    counts: { ...summary.counts },
    explored: exploredOf(summary.subjects.flatMap(({ explored }) => explored ?? [])),
    rates: rates(summary),
    planted: {
      planted: controls.length,
      caught: controls.length - missed.length,
      missed: missed.map(({ name }) => name),
    },
    targets: summary.rows.map(targetOf),
    findings: [...summary.unexpectedFindings, ...summary.expectedFindings].map(findingOf),
    findingsLeftOut: summary.findingsLeftOut,
    skipped: summary.skipped.map(({ what, reason, remedy }) => ({ what, reason, remedy: remedy ?? null })),
    caveats: caveats(summary),
    notes: summary.notes.map(({ level, text }) => ({ level, text })),
  };
}

export function jsonText(summary: Summary): string {
  return `${JSON.stringify(jsonReport(summary), null, 2)}\n`;
}

function exploredOf(parts: Explored[]): JsonReport['explored'] {
  return {
    states: parts.reduce((sum, { states }) => sum + states, 0),
    of: parts.reduce<number | null>((sum, { of }) => (sum === null || of === null ? null : sum + of), 0),
    exhaustive: parts.length > 0 && parts.every(({ exhaustive }) => exhaustive),
  };
}

function rates({ ended, resumed, rows }: Summary): JsonReport['rates'] {
  if (ended === null || resumed || ended.millis <= 0) return { trialsPerSecond: null, statesPerSecond: null };
  const trials = rows.reduce((sum, { trials, modes }) => sum + trials - modes.state, 0);
  const states = rows.reduce((sum, { explored }) => sum + (explored?.states ?? 0), 0);
  const millis = rows.reduce((sum, { explored }) => sum + (explored?.millis ?? 0), 0);
  return {
    trialsPerSecond: rounded((trials * 1000) / ended.millis),
    statesPerSecond: millis > 0 ? rounded((states * 1000) / millis) : null,
  };
}

function targetOf(row: Row): JsonReport['targets'][number] {
  const { target, recovery } = row;
  const coverage = row.coverage();
  const quantile = (share: number): number => rounded(recovery.quantile(share) ?? 0);
  return {
    id: target.id,
    kind: target.kind,
    backend: target.backend ?? null,
    workload: target.workload ?? null,
    planted: target.planted ?? null,
    expect: target.expect,
    fault: target.fault,
    rig: target.rig,
    fs: target.fs ?? null,
    counts: { ...row.counts },
    caught: target.expect === 'caught' ? row.violations > 0 : null,
    explored: row.explored === null ? null : exploredOf([row.explored]),
    coverage:
      coverage === null
        ? null
        : {
            hit: coverage.hit.length,
            of: coverage.hit.length + coverage.missed.length,
            missed: coverage.missed,
          },
    randomHeld: row.randomHeld,
    upperBound95: row.upperBound,
    recoveryMillis:
      recovery.total === 0
        ? null
        : { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), max: rounded(recovery.max) },
  };
}

function findingOf(event: FindingEvent): JsonReport['findings'][number] {
  return {
    number: event.number,
    verdict: event.verdict as Violation,
    expected: event.expected,
    target: event.target,
    fault: event.fault,
    rig: event.rig,
    fs: event.fs ?? null,
    seed: event.seed,
    trial: event.trial,
    acked: event.acked,
    recovered: event.recovered,
    explanation: event.explanation,
    guest: event.guest ?? null,
    folder: event.folder,
    bundle: event.bundle,
    replay: event.replay,
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
