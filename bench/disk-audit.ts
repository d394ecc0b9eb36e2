/**
 * Does the lazy exploration of disks lose or invent an outcome? Small recordings are explored lazily and by brute force, and
 * the outcome of every subset of whole writes is compared: `node dist/bench/main.js disk-audit [FS,…[@N[@PENDING]]]`, as root, in a
 * mount namespace of its own (see disk.ts). N: every N-th block that was read is passed over, which must be found; 0: none.
 * PENDING: epochs with more pending writes than this are left out; brute force takes 2 to its power.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { BackendTarget } from '../harness/core/target.js';
import { auditLaziness, type Audit } from '../harness/disk/audit.js';
import { createChecker } from '../harness/disk/checker.js';
import { parseFileSystem } from '../harness/disk/file-systems.js';
import { Presenter } from '../harness/disk/presenter.js';
import { record } from '../harness/disk/recording.js';
import { readTraceIndex } from '../harness/disk/trace-index.js';

const seed = 7;
const commits = 3;
const workers = 2;

function target(backend: string): BackendTarget {
  return {
    kind: 'backend',
    id: `${backend}/bank`,
    backend,
    workload: 'bank',
    expect: 'hold',
    needsReflink: false,
    steps: [],
  };
}

async function audit(backend: string, name: string, forgetReads: number, most: number): Promise<Audit> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-audit-'));
  const sources: Presenter[] = [];
  try {
    const tried = target(backend);
    const recording = await record({ target: tried, seed, commits, fs: parseFileSystem(name), folder });
    if (recording.trouble !== null) throw new Error(recording.trouble);
    const { epochs } = await readTraceIndex(recording.trace);
    for (let slot = 0; slot < workers; slot++) {
      const own = path.join(folder, `slot-${slot}`);
      mkdirSync(own);
      sources.push(
        await Presenter.start(recording, createChecker(tried, seed, own), own, 4096, { forgetReads }),
      );
    }
    return await auditLaziness(epochs, sources, seed, most);
  } finally {
    await Promise.all(sources.map((source) => source.close()));
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function benchDiskAudit(argument: string | undefined): Promise<unknown> {
  const [names = '', forget = '0', most = '8'] = (argument ?? 'ext4,xfs,btrfs').split('@');
  const results: Record<string, Audit> = {};
  for (const name of names.split(',')) {
    for (const backend of ['redo', 'plain'])
      results[`${backend} on ${name}`] = await audit(backend, name, Number(forget), Number(most));
  }
  return results;
}
