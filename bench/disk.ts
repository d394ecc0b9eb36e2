/**
 * Power cuts on real file systems: crash states recovered and checked a second, beside the naive way (copy the image,
 * attach a new loop device, mount) in the same run, and what recording costs beside a plain loop file. As root, in a
 * mount namespace of its own: `PLUGPULL_PRIVATE_MOUNTS=1 unshare --mount --propagation private node dist/bench/main.js disk`.
 */
import { execa } from 'execa';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { BackendTarget } from '../harness/core/target.js';
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

const seed = 7;
const unit = 4096;
const commits = 40;
const naiveStates = 40;

const target: BackendTarget = {
  kind: 'backend',
  id: 'redo/bank',
  backend: 'redo',
  workload: 'bank',
  expect: 'hold',
  needsReflink: false,
  steps: [],
};

async function rate(
  recording: Recording,
  index: TraceIndex,
  folder: string,
  workers: number,
  millis: number,
): Promise<number> {
  const presenters: Presenter[] = [];
  try {
    for (let slot = 0; slot < workers; slot++) {
      const own = path.join(folder, `w${workers}-${slot}`);
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
      deadline: performance.now() + millis,
      exhaustive: false,
      stopping: () => false,
      onViolation: (found) => Promise.reject(new Error(`a violation: ${found.judgement.reason ?? ''}`)),
    });
    return Math.round((explored.checked / explored.millis) * 1000);
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
    await hand.ask(`freeze ${mount}`);
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

      await hand.ask(`freeze ${mount}`);
    }
    return performance.now() - started;
  } finally {
    await zygote.close();
    await hand.ask(`unmount ${mount}`).catch(() => undefined);
    await hand.close();
  }
}

export async function benchDisk(argument: string | undefined): Promise<unknown> {
  const millis = 5000;
  const results: Record<string, unknown> = {};
  for (const name of (argument ?? 'ext4,xfs,btrfs').split(',')) {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-bench-'));
    try {
      const fs = parseFileSystem(name);
      const plain = await plainLoop(fs, folder);
      const recording = await record({ target, seed, commits, fs, folder });
      const index = await readTraceIndex(recording.trace);
      const rates: Record<string, number> = {};
      for (const workers of [1, 2, 4]) rates[workers] = await rate(recording, index, folder, workers, millis);
      const naive = await naiveRate(recording, index, folder);
      results[name] = {
        statesPerSecond: rates,
        naivePerSecond: naive,
        ratio: Math.round((Math.max(...Object.values(rates)) / naive) * 10) / 10,
        recordingMillis: Math.round(recording.millis),
        plainLoopMillis: Math.round(plain),
        slowdown: Math.round((recording.millis / plain) * 100) / 100,
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return results;
}
