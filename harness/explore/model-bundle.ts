/** A crash state of the storage model in one file: the run can be recorded again from its seed anywhere, without root. */
import { z } from 'zod';
import { UsageError } from '../core/errors.js';
import type { BackendTarget } from '../core/target.js';
import type { Verdict } from '../core/verdict.js';
import { writeBundle, type Bundle } from '../store/bundle.js';
import type { ExploredFinding } from '../worker/job.js';
import { describeChange } from './explain.js';
import type { ModelOptions } from './model-jobs.js';

export const modelStateSchema = 'plugpull.model-state/1';
const traceEntry = 'trace.txt';

export interface ModelState {
  schema: typeof modelStateSchema;
  version: string;
  target: BackendTarget;
  seed: number;
  options: ModelOptions;
  /** Of the recorded run: equal for equal runs. */
  hash: string;
  /** Leads to the minimized state. */
  path: string;
  acked: number;
  verdict: Verdict;
  explanation: string;
}

export function writeModelBundle(file: string, manifest: ModelState, finding: ExploredFinding): void {
  const operations = finding.operations.map(({ kind, file: name, offset, length, step }, i) =>
    [
      finding.firstOperation + i,
      kind,
      name ?? '',
      kind === 'write' ? `${offset}+${length}` : '',
      step ?? '',
    ].join('\t'),
  );
  const changes = finding.changes.map((change) => `${change.fate}\t${describeChange(change)}`);
  const text = [...operations, `power cut after operation ${finding.point}`, ...changes, ''].join('\n');
  writeBundle(file, { manifest, files: new Map([[traceEntry, Buffer.from(text)]]) });
}

const shape = z.looseObject({
  schema: z.literal(modelStateSchema),
  target: z.looseObject({ kind: z.literal('backend'), backend: z.string(), workload: z.string() }),
  seed: z.number().int().min(0),
  options: z.strictObject({
    profile: z.string(),
    commits: z.number().int().min(1).max(10_000),
    maxStates: z.number().int().positive(),
    nested: z.number().int().min(0).max(8),
    memoryBytes: z.number().int().positive(),
    stopAtFirst: z.boolean(),
  }),
  hash: z.string(),
  path: z.string().max(100_000),
  verdict: z.string(),
});

/** The crash state in a bundle, or null if the bundle holds something else. Throws UsageError if it is not whole. */
export function asModelState(file: string, bundle: Bundle): ModelState | null {
  if ((bundle.manifest as { schema?: unknown } | null)?.schema !== modelStateSchema) return null;
  const parsed = shape.safeParse(bundle.manifest);
  if (!parsed.success)
    throw new UsageError(`the bundle ${file} is not a whole crash state: ${z.prettifyError(parsed.error)}`);
  return bundle.manifest as ModelState;
}
