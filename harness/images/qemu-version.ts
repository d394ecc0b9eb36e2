/** The system's QEMU, and which QEMU a kernel needs. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { recipeFolder } from './recipe.js';
import { findTool } from './tools.js';

export const systemQemu = 'qemu-system-x86_64';

/** What is said where there is none. */
export const noQemu = {
  reason: 'QEMU is not installed',
  remedy: 'apt-get install --no-install-recommends qemu-system-x86',
} as const;

const ruleSchema = z.strictObject({
  why: z.string(),
  kernelsAbove: z.string(),
  atLeast: z.number(),
  suite: z.string(),
  package: z.string(),
});
export type QemuRule = z.infer<typeof ruleSchema>;

/** vm-images/qemu.json */
export function qemuRule(): QemuRule {
  return ruleSchema.parse(JSON.parse(readFileSync(path.join(recipeFolder, 'qemu.json'), 'utf8')));
}

/** May this QEMU emulate a processor for this kernel? @param release as of uname -r */
export function emulates(version: string, release: string, rule: QemuRule): boolean {
  const [major = 0, minor = 0] = release.split('.').map((part) => parseInt(part, 10));
  const [aboveMajor = 0, aboveMinor = 0] = rule.kernelsAbove.split('.').map(Number);
  const above = major > aboveMajor || (major === aboveMajor && minor > aboveMinor);
  return !above || parseInt(version, 10) >= rule.atLeast;
}

const versions = new Map<string, string | null>();

/** `10.0.2` of a QEMU; null where it does not run. */
export function qemuVersion(program: string): string | null {
  const known = versions.get(program);
  if (known !== undefined) return known;
  const ran = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const version = ran.status === 0 ? (/version (\d+(?:\.\d+)+)/.exec(ran.stdout)?.[1] ?? null) : null;
  versions.set(program, version);
  return version;
}

/** The installed one; null where there is none that runs. */
export function installedQemu(): { program: string; version: string } | null {
  const program = findTool(systemQemu);
  const version = program === null ? null : qemuVersion(program);
  return program === null || version === null ? null : { program, version };
}
