/**
 * Memory of the exploration of a large trace: a workload writes a gigabyte to a file system on the recording disk, then its crash
 * states are shown by as many presenters as a campaign would have. Given is the peak of all processes together: their own pages,
 * and the disks on which states are shown, which are memory, too. The trace and the image are files: their pages in the cache
 * can be taken back at any time. As root, in a mount namespace of its own (see disk.ts):
 * `node dist/bench/main.js disk-memory [FS,…[@MIB]]`.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { random } from '../harness/core/seed.js';
import type { Checker } from '../harness/disk/checker.js';
import { explore } from '../harness/disk/exploration.js';
import { makeImage, parseFileSystem, type FileSystem } from '../harness/disk/file-systems.js';
import { presentersAtOnce } from '../harness/disk/presenters-at-once.js';
import { Presenter } from '../harness/disk/presenter.js';
import { onRecordedDisk, type DiskFiles } from '../harness/disk/recorded-disk.js';
import { dataFolder, told } from '../harness/disk/recording.js';
import { ackMark, beginMark, readTraceIndex } from '../harness/disk/trace-index.js';

const mib = 1024 ** 2;
const seed = 7;
const block = 4096;
/** The file that is written again and again, and how much of it between two flushes. */
const fileBlocks = (8 * mib) / block;
const roundBlocks = 64;
const states = 600;
const deadlineMillis = 60_000;
const sampleMillis = 100;
/** As a campaign on two cores has it. */
const wanted = 4;

export async function benchDiskMemory(argument: string | undefined): Promise<unknown> {
  const [names = '', size = '1024'] = (argument ?? 'ext4,xfs,btrfs').split('@');
  const results: Record<string, unknown> = {};
  for (const name of names.split(',')) {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-memory-'));
    // Where that fails something may be mounted yet, and its error is the one to be told.
    results[name] = await exploreLarge(parseFileSystem(name), Number(size) * mib, folder);
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}

async function exploreLarge(fs: FileSystem, bytes: number, folder: string): Promise<unknown> {
  const started = performance.now();
  const recording = { fs, ...(await recordLarge(fs, bytes, folder)) };
  const recordMillis = Math.round(performance.now() - started);
  const peak = new PeakMemory();
  const presenters: Presenter[] = [];
  try {
    const { epochs } = await readTraceIndex(recording.trace);
    for (let slot = 0; slot < presentersAtOnce(recording, wanted); slot++) {
      const own = path.join(folder, `slot-${slot}`);
      mkdirSync(own);
      presenters.push(await Presenter.start(recording, firstBlock, own, block));
    }
    // Some from all parts of the trace.
    const step = Math.max(1, Math.floor(epochs.length / 200));
    const explored = await explore({
      epochs: epochs.filter((_, i) => i % step === 0),
      sources: presenters,
      seed,
      unit: block,
      checkKnowsAcked: true,
      states,
      deadline: performance.now() + deadlineMillis,
      exhaustive: false,
      stopping: () => false,
      onViolation: (found) => Promise.reject(new Error(`a violation: ${found.judgement.reason ?? ''}`)),
    });
    return {
      traceMib: Math.round(statSync(recording.trace).size / mib),
      recordMillis,
      epochs: epochs.length,
      states: explored.states,
      mounted: explored.checked,
      presenters: presenters.length,
      peakMib: peak.told(),
    };
  } finally {
    peak.stop();
    await Promise.all(presenters.map((presenter) => presenter.close()));
  }
}

async function recordLarge(
  fs: FileSystem,
  bytes: number,
  folder: string,
): Promise<DiskFiles & { changed: number }> {
  const { files, summary } = await onRecordedDisk(
    { folder, fs, what: 'the recording' },
    (image) => makeImage(fs, image),
    async ({ place, mark }) => {
      await place.mount();
      const dir = path.join(place.folder, dataFolder);
      mkdirSync(dir);
      const file = openSync(path.join(dir, 'file'), 'w');
      const draw = random(seed);
      const data = Buffer.alloc(block);
      writeSync(file, Buffer.alloc(fileBlocks * block, 1));
      fsyncSync(file);
      mark(beginMark);
      for (let round = 0; round * roundBlocks * block < bytes; round++) {
        data.fill(round % 251);
        for (let i = 0; i < roundBlocks; i++)
          writeSync(file, data, 0, block, draw.int(0, fileBlocks - 1) * block);
        fsyncSync(file);
        mark(ackMark(round));
        // So that others run, too: what measures, and what reads what the recorder says.
        if (round % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      closeSync(file);
    },
  );
  return { ...files, changed: told(summary, 'changed') };
}

/** It is the disk's memory that is measured, so this reads little. */
const firstBlock: Checker = {
  check: (dir, acked) => {
    const file = openSync(path.join(dir, 'file'), 'r');
    readSync(file, Buffer.alloc(block));
    closeSync(file);
    const end = { exit: 0, signal: null, stopped: null };
    return Promise.resolve({ outcome: 'consistent', state: acked, reason: '', log: '', end, millis: 0 });
  },
  refresh: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/** Of this process and all that it has started, sampled. */
class PeakMemory {
  private peak = { all: 0, controller: 0, processes: 0, disks: 0 };
  private readonly timer = setInterval(() => this.sample(), sampleMillis);

  told(): Record<string, number> {
    this.sample();
    return Object.fromEntries(
      Object.entries(this.peak).map(([name, bytes]) => [name, Math.round(bytes / mib)]),
    );
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private sample(): void {
    const controller = ownPages(process.pid);
    const children = descendants(process.pid);
    const processes = children.reduce((sum, pid) => sum + ownPages(pid), 0);
    const disks = children.reduce((sum, pid) => sum + memoryFiles(pid), 0);
    const all = controller + processes + disks;
    if (all > this.peak.all) this.peak = { all, controller, processes, disks };
  }
}

function descendants(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    const children = text === '' ? [] : text.split(' ').map(Number);
    return children.flatMap((child) => [child, ...descendants(child)]);
  } catch {
    return []; // it is gone
  }
}

/** Pages that lie in no file, those shared with others in part. */
function ownPages(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(/Pss_Anon:\s+(\d+) kB/.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** What is allocated for the disks that a presenter holds. */
function memoryFiles(pid: number): number {
  try {
    const folder = `/proc/${pid}/fd`;
    const files = readdirSync(folder).filter((name) =>
      readlinkSync(`${folder}/${name}`).startsWith('/memfd:plugpull-disk'),
    );
    return files.reduce((sum, name) => sum + statSync(`${folder}/${name}`).blocks * 512, 0);
  } catch {
    return 0;
  }
}
