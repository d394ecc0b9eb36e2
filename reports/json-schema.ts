/** The shape of `--json`, from which the published JSON schema is made. */
import { z } from 'zod';
import { violations, verdicts } from '../harness/core/verdict.js';

export const reportSchema = 'plugpull.report/1';

const count = z.int().nonnegative();
const faults = z.enum(['kill', 'cut', 'poweroff', 'power-command']);
const countsShape = z
  .strictObject(
    Object.fromEntries(verdicts.map((verdict) => [verdict, count])) as Record<
      (typeof verdicts)[number],
      typeof count
    >,
  )
  .describe('Trials by verdict.');
const fs = z.string().nullable().describe('File system, on rigs that make one.');

const explored = z.strictObject({
  states: count.describe('Crash states recovered and checked.'),
  of: count.nullable().describe('Size of the space; null where it was not counted.'),
  exhaustive: z.boolean().describe('Was every crash state explored?'),
});

const target = z.strictObject({
  id: z.string(),
  kind: z.enum(['backend', 'command']),
  backend: z.string().nullable(),
  workload: z.string().nullable(),
  planted: z.string().nullable().describe('The planted bug, where the target is wrong on purpose.'),
  expect: z.enum(['hold', 'caught']),
  fault: faults,
  rig: z.string(),
  fs,
  counts: countsShape,
  caught: z.boolean().nullable().describe('Of a control: was it caught? null for targets that should hold.'),
  explored: explored.nullable(),
  coverage: z
    .strictObject({ hit: count, of: count, missed: z.array(z.string()) })
    .nullable()
    .describe('Named steps at which a crash fell; null where steps are not known.'),
  randomHeld: count.describe('Independent random trials that held.'),
  upperBound95: z
    .number()
    .nullable()
    .describe('3/n: bounds the probability of a violation with 95 % confidence.'),
  recoveryMillis: z
    .strictObject({ p50: z.number(), p90: z.number(), p99: z.number(), max: z.number() })
    .nullable(),
});

const finding = z.strictObject({
  number: count,
  verdict: z.enum(violations),
  expected: z.boolean().describe('Of a control or a planted bug.'),
  target: z.string(),
  fault: faults,
  rig: z.string(),
  fs,
  seed: z.int(),
  trial: z.int(),
  acked: z.int().describe('Newest commit acked before the crash; -1: not even the creation.'),
  recovered: z.int().nullable().describe('The commit that the recovered data hold.'),
  explanation: z.string(),
  guest: z.string().nullable().describe('Of rig vm: kernel, packages and QEMU of the guests.'),
  folder: z.string().describe('Evidence, relative to the run directory.'),
  bundle: z.string().nullable().describe('One file that can be replayed elsewhere.'),
  replay: z.string().describe('A command line that shows it again.'),
});

export const reportShape = z
  .strictObject({
    schema: z.literal(reportSchema),
    verdict: z.enum(['held', 'violation', 'not-measured', 'harness-broken']),
    exitCode: z.int().nullable().describe('null while the run has not ended.'),
    complete: z.boolean().describe('Did the run end, and was it not interrupted?'),
    headline: z.string().describe('The verdict in words.'),
    run: z
      .strictObject({
        id: z.string(),
        version: z.string(),
        startedAt: z.string(),
        endedAt: z.string().nullable(),
        millis: z.number().nullable(),
        argv: z.array(z.string()),
        seed: z.int(),
        shard: z.strictObject({ index: count, of: count }),
        machine: z.record(z.string(), z.string()),
      })
      .nullable(),
    counts: countsShape.describe('Trials by verdict, of the targets that should hold.'),
    explored: explored.describe('Crash states, of the targets that should hold.'),
    rates: z
      .strictObject({ trialsPerSecond: z.number().nullable(), statesPerSecond: z.number().nullable() })
      .describe('null where the run gives no honest rate: it was resumed, or has not ended.'),
    planted: z
      .strictObject({ planted: count, caught: count, missed: z.array(z.string()) })
      .describe('Targets that are wrong on purpose.'),
    targets: z.array(target),
    findings: z.array(finding).describe('Violations first, then what was expected of controls.'),
    findingsLeftOut: count,
    skipped: z.array(z.strictObject({ what: z.string(), reason: z.string(), remedy: z.string().nullable() })),
    caveats: z.array(z.string()).describe('What this verdict does not say.'),
    notes: z.array(z.strictObject({ level: z.enum(['info', 'warning']), text: z.string() })),
  })
  .describe('The report of one run of plugpull.');

export type JsonReport = z.infer<typeof reportShape>;

/** The published schema (docs/report.schema.json), as text. */
export function jsonSchemaText(): string {
  return `${JSON.stringify(z.toJSONSchema(reportShape, { target: 'draft-2020-12' }), null, 2)}\n`;
}
