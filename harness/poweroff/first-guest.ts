/** The first guest of a trial: it works until its power is cut. */
import type { CrashPlan } from '../core/events.js';
import type { Target } from '../core/target.js';
import type { FileSystem } from '../disk/file-systems.js';
import type { AgentClient } from '../guest/client.js';
import { marksPort, type Marks } from '../guest/protocol.js';
import type { SubjectRun } from '../subjects/subject.js';
import { dataDevice } from '../vm/config.js';
import { VmError } from '../vm/error.js';
import type { Vm } from '../vm/vm.js';
import { bringTarget, mountData, mountFolder, targetFolder, type Guests } from './guests.js';

export interface Work {
  target: Target;
  seed: number;
  fs: FileSystem;
  /** The data disk, with a fresh file system. */
  disk: string;
  /** Where its block log goes: a volatile disk. Without one the disk keeps all that it is sent. */
  log: string | null;
  /** `step`: where the workload stands still at that step, or after `delayMicros` if it never comes there. */
  plan: CrashPlan;
}

export interface FirstGuest {
  pid: number;
  bootId: string;
  /** What the marks on the port said, up to the last that was written before the cut. */
  marks: MarksSeen;
  /** Why there was nothing to crash. */
  trouble: { kind: 'target' | 'guest'; detail: string } | null;
  log: string;
  console: string;
  millis: number;
}

/** What the marks say, in their order. */
export class MarksSeen {
  acked = -1;
  step: string | null = null;
  begun = false;
  /** The work was over, with nothing in flight. */
  done = false;
  /** The workload stands still at `step`. */
  still = false;
  readonly began: Promise<void>;
  readonly halted: Promise<void>;
  private sayBegan: () => void = () => undefined;
  private readonly waiting: { commit: number; reached: () => void }[] = [];
  private sayHalted: () => void = () => undefined;

  constructor() {
    this.began = new Promise((resolve) => {
      this.sayBegan = resolve;
    });
    this.halted = new Promise((resolve) => {
      this.sayHalted = resolve;
    });
  }

  /** This commit is there, or a later one. */
  async reached(commit: number): Promise<void> {
    if (this.acked >= commit) return;
    await new Promise<void>((resolve) => this.waiting.push({ commit, reached: resolve }));
  }

  take(text: string): void {
    const [kind = '', number = '', ...name] = text.split(' ');
    switch (kind) {
      case 'begin':
        this.begun = true;
        this.sayBegan();
        break;
      case 'ack':
        this.acked = Number(number);
        for (const { commit, reached } of this.waiting) if (this.acked >= commit) reached();
        break;
      case 's':
        this.step = name.join(' ');
        break;
      case 'halt':
        this.step = name.join(' ');
        this.still = true;
        this.sayHalted();
        break;
      case 'done':
        this.done = true;
        break;
      default:
    }
  }
}

/** Commits that no trial gets to: the cut ends it. */
const endless = 1_000_000;
const portDevice = `/dev/virtio-ports/${marksPort}`;

/** QEMU is gone when it resolves: nothing of the guest runs any more. Rejects where the guest cannot be had or this machine fails it. */
export async function workUntilCut(guests: Guests, work: Work): Promise<FirstGuest> {
  const started = performance.now();
  const { disk, log, fs, target } = work;
  const vm = await guests.restore(log === null ? { disk } : { disk, log });
  const seen = new MarksSeen();
  const marks: Marks = {
    // By these the cut is aimed.
    port: portDevice,
    // And these lie among the writes of a volatile disk, where they belong.
    ...(log === null ? {} : { disk: { device: dataDevice, offset: guests.marksAt } }),
  };
  vm.onMark((text) => seen.take(text));
  let trouble: FirstGuest['trouble'] = null;
  let text = '';
  try {
    await mountData(vm.agent, fs);
    const there = await bringTarget(vm.agent, target);
    const made = await setUp(vm.agent, there, work.seed, marks);
    text = made?.log ?? '';
    trouble = whyNoSetUp(made);
    if (trouble === null) {
      const ended = await worked(vm, { ...work, target: there }, marks, seen);
      if (ended !== null) {
        text = ended.log;
        trouble = { kind: ended.kind, detail: ended.detail };
      }
    }
    if (vm.alive()) await (log === null ? vm.kill() : vm.stopAndQuit());
  } catch (error) {
    const why = await vm.explain(error);
    if (!(why instanceof VmError) || !why.guestDied) throw why;
    trouble ??= { kind: 'guest', detail: why.message };
  } finally {
    await vm.kill();
  }
  return {
    pid: vm.pid,
    bootId: vm.bootId,
    marks: seen,
    trouble,
    log: text,
    console: vm.console(),
    millis: performance.now() - started,
  };
}

/** Commit 0 of a program of the user's own; a heap of ours is made by the run itself. */
export async function setUp(
  agent: AgentClient,
  target: Target,
  seed: number,
  marks: Marks,
): Promise<SubjectRun | null> {
  if (target.kind === 'backend') return null;
  const made = await agent.call(
    'setup',
    { target, dir: targetFolder, seed, plan: null, marks },
    { timeoutMillis: target.limits.timeMs + callMillis },
  );
  // What is cut is the run.
  await agent.call('quiesce', { dir: mountFolder });
  return made;
}

const callMillis = 60_000;
/** On a busy machine it takes a second. */
const beginMillis = 30_000;

export function whyNoSetUp(made: SubjectRun | null): FirstGuest['trouble'] {
  if (made === null || (made.end === 'exited' && (made.exit ?? 0) === 0)) return null;
  return { kind: 'target', detail: `the set-up failed: ${made.detail ?? `exit status ${made.exit ?? '?'}`}` };
}

interface EndedEarly {
  kind: 'target' | 'guest';
  detail: string;
  log: string;
}

/** Lets the workload run up to the moment of the cut. Gives why that never came; null: it has come. Rejects where the guest ends. */
async function worked(
  vm: Vm,
  { target, seed, plan }: Work,
  marks: Marks,
  seen: MarksSeen,
): Promise<EndedEarly | null> {
  const delay = (plan.delayMicros ?? 0) / 1000;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<EndedEarly>((resolve) => {
    timer = setTimeout(() => {
      resolve({ kind: 'guest', detail: `the work had not begun after ${beginMillis / 1000} s`, log: '' });
    }, beginMillis);
  });
  const origin = plan.phase === 'create' ? seen.began : seen.reached(plan.afterCommit ?? 0);
  const moment = Promise.all([seen.began, origin]).then(() => {
    clearTimeout(timer);
    return new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), delay);
    });
  });
  const run = vm.agent
    .call(
      'run',
      {
        target,
        dir: targetFolder,
        seed,
        create: target.kind === 'backend',
        commits: endless,
        plan: plan.mode === 'step' ? plan : null,
        marks,
      },
      { timeoutMillis: delay + beginMillis + callMillis },
    )
    .then((ran): EndedEarly => ({
      kind: 'target',
      detail: ran.detail ?? `it ended before the cut (exit status ${ran.exit ?? '?'})`,
      log: ran.log,
    }));
  // Cut off with the guest.
  run.catch(() => undefined);
  const died = vm.ended.then((error) => Promise.reject(error ?? new Error('the guest was ended')));
  died.catch(() => undefined);
  const halted = seen.halted.then(() => null);
  try {
    return await Promise.race([moment, late, halted, run, died]);
  } finally {
    clearTimeout(timer);
  }
}
