/**
 * Guests: from spawning QEMU to the answer to the first command, restored beside booted; the memory of one; and cycles of
 * two guests (create, work half a second, SIGKILL, recover and check in a fresh one) a minute. `node dist/bench/main.js vm [KERNEL]`;
 * needs an image: `plugpull image build KERNEL`.
 */
import { execa } from 'execa';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { marksPort } from '../harness/guest/protocol.js';
import { findImage } from '../harness/images/image.js';
import { dataDevice, defaultVmConfig } from '../harness/vm/config.js';
import { bootSpec, ensureTemplate, type Template } from '../harness/vm/template.js';
import { Vm } from '../harness/vm/vm.js';
import { redoBank as target } from './redo-bank.js';

const mib = 1024 ** 2;
const fs = 'ext4';
const fsBytes = 64 * mib;
const workMillis = 500;
const seed = 7;
const restores = 21;
const boots = 3;
const cycleMillis = 30_000;
const mount = '/mnt/data';
const dir = `${mount}/d`;

export async function benchVm(kernel = '6.1'): Promise<unknown> {
  const image = await findImage(kernel);
  if (image === null) throw new Error(`there is no image: plugpull image build ${kernel}`);
  const template = await ensureTemplate(image, {}, (text) => process.stderr.write(`${text}\n`));
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-bench-'));
  try {
    const empty = path.join(folder, 'empty');
    writeFileSync(empty, '');
    truncateSync(empty, defaultVmConfig.diskBytes);
    const made = await makeDisk(template, empty, path.join(folder, 'made'));
    const restoreMillis: number[] = [];
    for (let i = 0; i < restores; i++) {
      const vm = await Vm.restore(template, { disk: empty });
      restoreMillis.push(vm.startMillis);
      await vm.kill();
    }
    const bootMillis: number[] = [];
    for (let i = 0; i < boots; i++) {
      const vm = await Vm.boot(template.qemu, bootSpec(image, template.payload, template.config, empty));
      bootMillis.push(vm.startMillis);
      await vm.kill();
    }
    return {
      kernel: image.release,
      qemu: template.qemu.version,
      accel: template.config.accel,
      restoredToFirstCommandMillis: spread(restoreMillis),
      bootedToFirstCommandMillis: spread(bootMillis),
      memory: await memory(template, made, folder),
      cyclesAMinute: {
        'restored, 1 worker': await cycles(template, made, folder, 1, restored),
        'restored, 2 workers': await cycles(template, made, folder, 2, restored),
        'booted, 2 workers': await cycles(template, made, folder, 2, booted),
      },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Start = (template: Template, disk: string) => Promise<Vm>;

const restored: Start = (template, disk) => Vm.restore(template, { disk });
const booted: Start = (template, disk) =>
  Vm.boot(template.qemu, bootSpec(template.image, template.payload, template.config, disk));

/** A data disk with a file system on it. */
async function makeDisk(template: Template, empty: string, disk: string): Promise<string> {
  await copy(empty, disk);
  const vm = await Vm.restore(template, { disk });
  try {
    await vm.agent.call('makeFs', { device: dataDevice, fs, bytes: fsBytes });
    await mounted(vm);
    await vm.agent.call('makeFolder', { path: dir });
    await vm.agent.call('unmount', { dir: mount });
    await vm.stopAndQuit();
  } finally {
    await vm.kill();
  }
  return disk;
}

async function mounted(vm: Vm): Promise<void> {
  const { error } = await vm.agent.call('mount', { device: dataDevice, fs, dir: mount });
  if (error !== null) throw new Error(error);
}

/** Starts work that goes on until the power is off; gives the newest commit that was acknowledged. */
function work(vm: Vm): { acked: () => number; made: Promise<void> } {
  let acked = -1;
  const made = new Promise<void>((resolve) => {
    vm.onMark((text) => {
      if (text.startsWith('ack ')) acked = Number(text.slice(4));
      if (text === 'ack 0') resolve();
    });
  });
  const marks = { port: `/dev/virtio-ports/${marksPort}` };
  vm.agent
    .call('run', { target, dir, seed, create: true, commits: 1e6, plan: null, marks })
    .catch(() => undefined); // ended by the power cut
  return { acked: () => acked, made };
}

async function cycle(start: Start, template: Template, made: string, disk: string): Promise<number> {
  await copy(made, disk);
  const first = await start(template, disk);
  let acked: () => number;
  try {
    await mounted(first);
    const working = work(first);
    acked = working.acked;
    await working.made;
    await pause(workMillis);
  } finally {
    await first.kill();
  }
  const second = await start(template, disk);
  try {
    await mounted(second);
    const check = await second.agent.call('check', { target, dir, seed, acked: acked() });
    const right = check.state === acked() || check.state === acked() + 1;
    if (check.outcome !== 'consistent' || !right) {
      throw new Error(`acked ${acked()}, then ${check.outcome} ${check.state ?? ''}: ${check.reason}`);
    }
  } finally {
    await second.kill();
  }
  return acked();
}

async function cycles(template: Template, made: string, folder: string, workers: number, start: Start) {
  const began = performance.now();
  const acked: number[] = [];
  await Promise.all(
    Array.from({ length: workers }, async (_, slot) => {
      while (performance.now() - began < cycleMillis)
        acked.push(await cycle(start, template, made, path.join(folder, `disk${slot}`)));
    }),
  );
  const minutes = (performance.now() - began) / 60_000;
  return { perMinute: round(acked.length / minutes), cycles: acked.length, commitsMedian: median(acked) };
}

/** MiB of one guest while another of the same template runs, after its restore and after it has worked. */
async function memory(template: Template, made: string, folder: string) {
  const vms: Vm[] = [];
  try {
    for (const slot of [0, 1]) {
      const disk = path.join(folder, `disk${slot}`);
      await copy(made, disk);
      vms.push(await restored(template, disk));
    }
    const [vm, other] = vms as [Vm, Vm];
    const fresh = rollup(vm.pid);
    for (const one of [vm, other]) {
      await mounted(one);
      await work(one).made;
    }
    await pause(2000);
    return { restored: fresh, afterTwoSecondsOfWork: rollup(vm.pid) };
  } finally {
    await Promise.all(vms.map((vm) => vm.kill()));
  }
}

function rollup(pid: number) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (name: string) => round(Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)?.[1]) / 1024);
  return { pssMiB: of('Pss'), privateMiB: round(of('Private_Dirty') + of('Private_Clean')) };
}

async function copy(from: string, to: string): Promise<void> {
  await execa('cp', ['--sparse=always', '--reflink=auto', from, to]);
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

function spread(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: round(median(values)), least: round(sorted[0] ?? 0), most: round(sorted.at(-1) ?? 0) };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
