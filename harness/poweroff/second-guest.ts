/** The guest after the cut: it never saw the first one's memory. It mounts the disk, recovers, and checks. */
import type { Target } from '../core/target.js';
import type { FileSystem } from '../disk/file-systems.js';
import { unmountable } from '../disk/state-source.js';
import type { SubjectCheck } from '../subjects/subject.js';
import { dataDevice } from '../vm/config.js';
import { VmError } from '../vm/error.js';
import type { Vm } from '../vm/vm.js';
import { bringTarget, mountFolder, targetFolder, type Guests } from './guests.js';

export interface Recovered {
  pid: number;
  bootId: string;
  /** One for each recovery. */
  checks: SubjectCheck[];
  /** First difference between the files after one recovery and after two; null: equal; undefined: not compared. */
  difference?: string | null;
  /** The guest itself died or hung on the way, or the check took longer than it may. */
  died: boolean;
  /** Of a file system that could not be mounted: what its own tools in the guest then said and did. */
  repair: string;
  kernelLog: string;
  console: string;
}

const keptFolder = '/tmp/plugpull-recovered-once';
const askMillis = 10_000;
/** Beyond what a check itself may take. */
const graceMillis = 60_000;
const checkMillis = 60_000;
const repairMillis = 200_000;

export interface ToRecover {
  target: Target;
  seed: number;
  fs: FileSystem;
  disk: string;
  acked: number;
}

/** A guest that panics or hangs gives a failed check: so does a machine that cannot be started again. */
export async function recoverInGuest(guests: Guests, what: ToRecover): Promise<Recovered> {
  const vm = await guests.restore({ disk: what.disk });
  const recovered: Recovered = {
    pid: vm.pid,
    bootId: vm.bootId,
    checks: [],
    died: false,
    repair: '',
    kernelLog: '',
    console: '',
  };
  const hostTrouble = vm.watchHost();
  try {
    await check(vm, what, recovered);
    recovered.died = recovered.checks.some(ranOutOfTime);
    if (recovered.died) await rejectFor(hostTrouble);
    if (recovered.checks.some(({ outcome }) => outcome !== 'consistent')) {
      const { text } = await vm.agent.call('kernelLog', {}, { timeoutMillis: askMillis });
      recovered.kernelLog = text;
    }
  } catch (error) {
    recovered.checks.push(failed(await deathOf(vm, error, hostTrouble)));
    recovered.died = true;
  } finally {
    await vm.kill();
    recovered.console = vm.console();
  }
  return recovered;
}

async function check(vm: Vm, what: ToRecover, into: Recovered): Promise<void> {
  const { agent } = vm;
  const { seed, fs, acked } = what;
  const target = await bringTarget(agent, what.target);
  const { error } = await agent.call('mount', { device: dataDevice, fs: fs.name, dir: mountFolder });
  if (error !== null) {
    into.checks.push(failed(`${unmountable}: ${error}`));
    const { log } = await agent.call(
      'repair',
      { device: dataDevice, fs: fs.name },
      { timeoutMillis: repairMillis },
    );
    into.repair = log;
    return;
  }
  const bytes = target.kind === 'backend' || target.recoverTwice === 'bytes';
  const timeoutMillis = graceMillis + (target.kind === 'command' ? target.limits.timeMs : checkMillis);
  const once = async (): Promise<SubjectCheck> => {
    const one = await agent.call('check', { target, dir: targetFolder, seed, acked }, { timeoutMillis });
    into.checks.push(one);
    return one;
  };
  if ((await once()).outcome === 'failed') return;
  if (bytes) await agent.call('keep', { dir: targetFolder, copy: keptFolder });
  if ((await once()).outcome === 'failed' || !bytes) return;
  const ignore = target.kind === 'command' ? target.ignore : [];
  const { difference } = await agent.call('compare', { dir: targetFolder, copy: keptFolder, ignore });
  into.difference = difference;
}

/** How the guest died or hung, in words. Rejects where it did neither, or where this machine is to blame. */
export async function deathOf(
  vm: Vm,
  error: unknown,
  hostTrouble: () => Promise<VmError | null>,
): Promise<string> {
  const why = await vm.explain(error);
  // A guest that ends without a panic was ended by our own programs in it.
  if (!(why instanceof VmError) || !why.guestDied || why.kind === 'gone') throw why;
  if (why.kind === 'hung') await rejectFor(hostTrouble);
  return `the guest ${why.kind === 'hung' ? 'hung' : 'died'} during recovery: ${why.what}`;
}

/** Being late is no verdict where this machine was. */
export async function rejectFor(hostTrouble: () => Promise<VmError | null>): Promise<void> {
  const trouble = await hostTrouble();
  if (trouble !== null) throw trouble;
}

/** An emulated guest on a busy machine is slow at times: once is no verdict yet. */
export function ranOutOfTime(check: SubjectCheck): boolean {
  return check.outcome === 'failed' && check.end.stopped === 'time';
}

export function failed(reason: string): SubjectCheck {
  const end = { exit: null, signal: null, stopped: null };
  return { outcome: 'failed', state: null, reason, log: '', end, millis: 0 };
}
