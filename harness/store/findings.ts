/** Findings on disk: the files as they were right after the crash, the logs, and how to see it again. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { storageError, UsageError } from '../core/errors.js';
import type { CrashPlan, FaultName, FindingEvent } from '../core/events.js';
import { makeFolder } from '../core/make-folder.js';
import { programName } from '../core/program-name.js';
import { shellWord } from '../core/shell-word.js';
import type { Target } from '../core/target.js';
import type { Verdict } from '../core/verdict.js';

export const findingSchema = 'plugpull.finding/1';
export const recordFile = 'finding.json';
/** In the folder of a finding: all of it in one file. */
export const bundleName = 'bundle.plugpull';
const afterCrashFolder = 'after-crash';

/** All that is needed to see a finding again, beside its files. */
export interface FindingRecord {
  schema: typeof findingSchema;
  version: string;
  target: Target;
  fault: FaultName;
  rig: string;
  seed: number;
  plan: CrashPlan;
  acked: number;
  recovered: number | null;
  verdict: Verdict;
  explanation: string;
  /** Of rig `vm`: kernel, packages and QEMU of the guests. */
  guest?: string;
  /** The command that found it, and where it was given. */
  run?: RunRecord;
}

export interface RunRecord {
  argv: string[];
  /** The campaign's. */
  seed: number;
  cwd: string;
}

export function saveFinding(
  runFolder: string,
  number: number,
  record: FindingRecord,
  evidence: { afterCrash: string | null; logs: Record<string, string> },
): { folder: string } {
  const folder = path.join('findings', String(number).padStart(4, '0'));
  const full = path.join(runFolder, folder);
  try {
    // What a controller left that was killed before it could log its finding must not mix with this one.
    rmSync(full, { recursive: true, force: true });
    makeFolder(full);
    writeFileSync(path.join(full, recordFile), `${JSON.stringify(record, null, 2)}\n`);
    if (evidence.afterCrash !== null) {
      cpSync(evidence.afterCrash, path.join(full, afterCrashFolder), {
        recursive: true,
        preserveTimestamps: true,
      });
    }
    for (const [name, text] of Object.entries(evidence.logs)) {
      if (text !== '') writeFileSync(path.join(full, `${name}.log`), text);
    }
  } catch (error) {
    throw storageError(error, `cannot keep the evidence in ${full}`);
  }
  return { folder };
}

const recordShape = z.looseObject({
  schema: z.string(),
  target: z.looseObject({ kind: z.enum(['backend', 'command']), id: z.string() }),
  fault: z.string(),
  seed: z.number().int(),
  acked: z.number().int(),
  plan: z.looseObject({ mode: z.string(), phase: z.string() }),
});

export interface StoredFinding {
  record: FindingRecord;
  /** Folder of the files right after the crash; null where none were kept. */
  afterCrash: string | null;
}

export function loadFinding(folder: string): StoredFinding {
  const file = path.join(folder, recordFile);
  if (!existsSync(file))
    throw new UsageError(`${folder} is not the folder of a finding: it has no ${recordFile}`);
  let record: FindingRecord;
  try {
    record = recordShape.parse(JSON.parse(readFileSync(file, 'utf8'))) as unknown as FindingRecord;
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
  const found: string = record.schema;
  if (found !== findingSchema)
    throw new UsageError(`${file} has schema ${found}; this version reads ${findingSchema}`);
  const afterCrash = path.join(folder, afterCrashFolder);
  return { record, afterCrash: existsSync(afterCrash) ? afterCrash : null };
}

/** A command line that shows the finding again. */
export function replayLine(runFolder: string, finding: Pick<FindingEvent, 'folder'>): string {
  return `${shellWord(programName())} replay ${shellWord(path.join(path.relative(process.cwd(), runFolder) || '.', finding.folder))}`;
}
