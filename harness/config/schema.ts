/** The configuration: what `plugpull.config.ts` (or .json) and the command line may say. */
import { z } from 'zod';
import { promises } from '../core/target.js';

const duration = z
  .string({ error: 'a duration in quotes is needed, such as "90s", "5m" or "2h"' })
  .regex(/^\d+(\.\d+)?(ms|s|m|h)$/, 'a duration such as "90s", "5m" or "2h" is needed')
  .transform(parseDuration);

const count = z.number().int().positive();
const share = z.number().gt(0).lt(1);

const commandTarget = z.strictObject({
  setup: z.string().min(1),
  run: z.string().min(1),
  check: z.string().min(1),
  /** Programs that the commands need, put first in $PATH. */
  with: z.array(z.string()).default([]),
  /** Files (globs) that may differ between two recoveries. */
  ignore: z.array(z.string()).default([]),
  /** `caught`: a target that is wrong on purpose. */
  expect: z.enum(['hold', 'caught']).default('hold'),
  recoverTwice: z.enum(['bytes', 'state']).default('state'),
  /** `consistent`: the newest commits may be lost, but what is left is whole. */
  promise: z.enum(promises).default('durable'),
  timeout: duration.optional(),
  memoryBytes: count.optional(),
});

export const faultNames = ['kill', 'cut', 'poweroff', 'power-command'] as const;
export const rigNames = ['folder', 'model', 'disk', 'vm', 'host'] as const;

export const configSchema = z.strictObject({
  /** Programs to torture, by name. */
  targets: z.record(z.string().regex(/^[\w.+@:-]+$/), commandTarget).default({}),
  backends: z.array(z.string()).default([]),
  workloads: z.array(z.string()).default([]),
  planted: z.array(z.string()).default([]),
  tracker: z.enum(['auto', 'pagemap', 'mprotect', 'compare']).optional(),
  /** A text file for the workload `text-index`. */
  input: z.string().optional(),
  fault: z.array(z.enum(faultNames)).default([]),
  rig: z.array(z.enum(rigNames)).default([]),
  /** For power cuts: as the flags of these names. */
  fs: z.array(z.string()).min(1).optional(),
  commits: count.optional(),
  states: count.optional(),
  exhaustive: z.boolean().optional(),
  diskFault: z.array(z.string()).min(1).optional(),
  nested: z.number().int().min(0).max(8).optional(),
  profile: z.array(z.string()).min(1).optional(),
  /** Include the negative control and planted bugs. */
  controls: z.boolean().default(true),
  seed: z.number().int().min(0).max(0x7fffffff).optional(),
  for: duration.optional(),
  trials: count.optional(),
  jobs: count.max(256).optional(),
  maxFailures: count.optional(),
  gateUpperBound: share.optional(),
});

export type Config = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
export type CommandTargetConfig = z.output<typeof commandTarget>;

/** For `plugpull.config.ts`: gives the editor the types. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config;
}

/** Milliseconds of `90s`, `5m`, `2h`, `500ms`; NaN for anything else. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (match === null) return Number.NaN;
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] as 'ms' | 's' | 'm' | 'h'];
  return Number(match[1]) * unit;
}
