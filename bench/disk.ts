/**
 * Power cuts on real file systems: crash states recovered and checked a second, beside the naive way (copy the image,
 * attach a new loop device, mount) in the same run, and what recording costs beside a plain loop file. As root, in a
 * mount namespace of its own: `PLUGPULL_PRIVATE_MOUNTS=1 unshare --mount --propagation private node dist/bench/main.js disk`.
 */
import { execa } from 'execa';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createChecker } from '../harness/disk/checker.js';
import { boundaries, choicesText, randomRounds, singles, type Batch } from '../harness/disk/enumerate.js';
import { explore } from '../harness/disk/exploration.js';
import { makeImage, parseFileSystem, type FileSystem } from '../harness/disk/file-systems.js';
import { diskProgram, LineProcess } from '../harness/disk/line-process.js';
import { Presenter } from '../harness/disk/presenter.js';
import { dataFolder, record, type Recording } from '../harness/disk/recording.js';
import { readTraceIndex, type TraceIndex } from '../harness/disk/trace-index.js';
import { workerTarget } from '../harness/subjects/builtin.js';
import { Zygote } from '../harness/subjects/zygote.js';
import { redoBank as target } from './redo-bank.js';

const seed = 7;
const unit = 4096;
const commits = 40;
const naiveStates = 40;
const distinctStates = 600;
const millisEach = 2000;
/** Everything that is compared is measured so often, in turn; medians are told. */
const rounds = 5;

interface Shown {
  workers: number;
  undo: 'auto' | 'trace' | 'compare';
  shownBy?: 'loop';
}

/** Reads seen by 1, 2 and 4; not seen, changes found by tracepoint and by comparison; seen, and by loop devices only. */
const ways: readonly Shown[] = [
  { workers: 1, undo: 'auto' },
  { workers: 2, undo: 'auto' },
  { workers: 4, undo: 'auto' },
  { workers: 4, undo: 'trace' },
  { workers: 4, undo: 'compare' },
  { workers: 4, undo: 'auto', shownBy: 'loop' },
];

/** States shown a second by so many sources at once: mounted, recovered, checked, undone. None of them twice in a row. */
async function rate(
  recording: Recording,
  index: TraceIndex,
  folder: string,
  { workers, ...how }: Shown,
): Promise<number> {
  const presenters: Presenter[] = [];
  const states = take(index, distinctStates);
  try {
    for (let slot = 0; slot < workers; slot++) {
      const own = mkdtempSync(path.join(folder, 'shown-'));

      presenters.push(await Presenter.start(recording, createChecker(target, seed, own), own, unit, how));
    }
    let next = 0;
    const show = async (presenter: Presenter): Promise<void> => {
      const state = states[next++ % states.length];
      if (state === undefined) throw new Error('there is no state');
      await presenter.check(state, 0);
    };
    await Promise.all(presenters.map(show)); // their checkers start
    let shown = 0;
    const started = performance.now();
    await Promise.all(
      presenters.map(async (presenter) => {
        for (; performance.now() - started < millisEach; shown++) await show(presenter);
      }),
    );
    return Math.round((shown / (performance.now() - started)) * 1000);
  } finally {
    await Promise.all(presenters.map((presenter) => presenter.close()));
  }
}

/** What seeing the reads spares: every subset of whole writes and all tears, judged and mounted. */
async function spared(recording: Recording, index: TraceIndex, folder: string): Promise<unknown> {
  const presenters: Presenter[] = [];
  try {
    for (let slot = 0; slot < 4; slot++) {
      const own = path.join(folder, `lazy-${slot}`);
      mkdirSync(own);
      presenters.push(await Presenter.start(recording, createChecker(target, seed, own), own, unit));
    }
    const explored = await explore({
      epochs: index.epochs,
      sources: presenters,
      seed,
      unit,
      checkKnowsAcked: false,
      states: null,
      deadline: performance.now() + 30_000,
      exhaustive: true,
      stopping: () => false,
      onViolation: (found) => Promise.reject(new Error(`a violation: ${found.judgement.reason ?? ''}`)),
    });
    const { states, checked, of, exhaustive } = explored;
    const pending = Math.max(...index.epochs.map((epoch) => epoch.pending.length));
    return {
      subsets: of,
      mostPending: pending,
      judged: states,
      mounted: checked,
      exhaustive,
      ...explored.spared,
    };
  } finally {
    await Promise.all(presenters.map((presenter) => presenter.close()));
  }
}

function take(index: TraceIndex, count: number): { epoch: number; choices: string }[] {
  const states: { epoch: number; choices: string }[] = [];
  const from = (batches: Generator<Batch>): void => {
    for (const { epoch, choices } of batches) {
      for (const one of choices) states.push({ epoch: epoch.number, choices: choicesText(one) });
      if (states.length >= count) return;
    }
  };
  from(boundaries(index.epochs));
  if (states.length < count) from(singles(index.epochs));
  if (states.length < count) from(randomRounds(index.epochs, seed, unit));
  return states.slice(0, count);
}

/** Copies the image for every state, attaches a loop device to the copy, mounts, checks in a new child, unmounts. */
async function naiveRate(recording: Recording, index: TraceIndex, folder: string): Promise<number> {
  const { fs } = recording;
  const own = path.join(folder, 'naive');
  const mount = path.join(own, 'mount');
  mkdirSync(mount, { recursive: true });
  const checker = createChecker(target, seed, own);
  const maker = await Presenter.start(recording, createChecker(target, seed, own), own, unit);
  const copy = path.join(own, 'copy.img');
  let millis = 0;
  let count = 0;
  try {
    for (const state of take(index, naiveStates)) {
      const saved = path.join(own, 'saved');
      const image = path.join(own, 'image');
      await maker.save(state, saved);
      await execa(diskProgram(), ['restore', saved, image]);
      const started = performance.now();
      cpSync(image, copy);
      await execa('mount', ['-t', fs.type, '-o', `loop,${fs.options}`, copy, mount]);
      await checker.check(path.join(mount, dataFolder), 0);
      await execa('umount', [mount]);
      millis += performance.now() - started;
      count++;
    }
  } finally {
    await checker.close();
    await maker.close();
  }
  return Math.round((count / millis) * 10_000) / 10;
}

/** Milliseconds of the same commits on the same file system on a loop device over a plain file. */
async function plainLoop(fs: FileSystem, folder: string): Promise<number> {
  const image = path.join(folder, 'plain.img');
  const mount = path.join(folder, 'plain');
  mkdirSync(mount);
  await makeImage(fs, image);
  const hand = await LineProcess.start('hand');
  const zygote = new Zygote();
  try {
    const device = await hand.ask(`attach ${image} direct`);
    await hand.ask(`mount ${device} ${mount} ${fs.type} ${fs.options}`);
    mkdirSync(path.join(mount, dataFolder));
    await hand.ask(`quiesce ${mount}`);
    const started = performance.now();
    for (let done = 0; done < commits; done += 10) {
      await zygote.run({
        op: 'run',
        target: workerTarget(target),
        dir: path.join(mount, dataFolder),
        seed,
        create: done === 0,
        plan: null,
        commits: 10,
        limits: { timeMs: 60_000, rssBytes: 1024 ** 3, outputBytes: 64 * 1024 ** 2 },
      });

      await hand.ask(`quiesce ${mount}`);
    }
    return performance.now() - started;
  } finally {
    await zygote.close();
    await hand.ask(`unmount ${mount}`).catch(() => undefined);
    await hand.close();
  }
}

/** The same commits on a recording disk and on a plain loop device, in turn. */
async function recordings(
  fs: FileSystem,
  folder: string,
): Promise<{ recording: Recording; recorded: number[]; plain: number[] }> {
  const plain: number[] = [];
  const all: Recording[] = [];
  for (let round = 0; round < rounds; round++) {
    const [one, other] = ['plain-', 'recorded-'].map((name) => mkdtempSync(path.join(folder, name)));
    plain.push(Math.round(await plainLoop(fs, one ?? folder)));
    all.push(await record({ target, seed, commits, fs, folder: other ?? folder }));
  }
  const [recording] = all;
  if (recording === undefined) throw new Error('nothing was recorded');
  return { recording, recorded: all.map(({ millis }) => Math.round(millis)), plain };
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

export async function benchDisk(argument: string | undefined): Promise<unknown> {
  const results: Record<string, unknown> = {};
  for (const name of (argument ?? 'ext4,xfs,btrfs').split(',')) {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-bench-'));
    try {
      const fs = parseFileSystem(name);
      const { recording, recorded, plain } = await recordings(fs, folder);
      const index = await readTraceIndex(recording.trace);
      const rates = new Map(ways.map((way) => [way, [] as number[]]));
      for (let round = 0; round < rounds; round++) {
        for (const [way, all] of rates) all.push(await rate(recording, index, folder, way));
      }
      const medians = [...rates].map(
        ([{ workers, undo, shownBy = '' }, all]) =>
          [`${undo} ${workers} ${shownBy}`.trim(), median(all)] as const,
      );
      const naive = await naiveRate(recording, index, folder);
      results[name] = {
        statesPerSecond: Object.fromEntries(medians),
        naivePerSecond: naive,
        ratio: Math.round((Math.max(...medians.map(([, one]) => one)) / naive) * 10) / 10,
        lazily: await spared(recording, index, folder),
        load: os.loadavg().map((one) => Math.round(one * 10) / 10),
        recordingMillis: recorded,
        plainLoopMillis: plain,
        slowdown: Math.round((median(recorded) / median(plain)) * 100) / 100,
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return results;
}
