/** One run in a guest with a block log: what many power cuts are made from. */
import path from 'node:path';
import type { Target } from '../core/target.js';
import type { FileSystem } from '../disk/file-systems.js';
import type { Recording } from '../disk/recording.js';
import { readTraceIndex, type TraceIndex } from '../disk/trace-index.js';
import { AgentError } from '../guest/client.js';
import type { Marks } from '../guest/protocol.js';
import type { SubjectRun } from '../subjects/subject.js';
import { dataDevice } from '../vm/config.js';
import type { Vm } from '../vm/vm.js';
import { copyDisk, traceOfLog } from './block-log.js';
import { setUp, whyNoSetUp } from './first-guest.js';
import { bringTarget, mapFiles, mountData, mountFolder, targetFolder, type Guests } from './guests.js';
import { rejectFor } from './second-guest.js';

/** The file system's log is emptied so often (in commits): recovery takes as long as the log is. */
const quiesceEvery = 10;
/** Longest run, and more for each commit of it: guests are slow, and some commits are. */
const runMillis = 180_000;
const commitMillis = 1000;

export interface LoggedRun {
  recording: Recording;
  trace: TraceIndex;
  console: string;
}

export interface RunOrder {
  target: Target;
  seed: number;
  fs: FileSystem;
  commits: number;
  /** An empty folder. */
  folder: string;
}

/**
 * Rejects where guests cannot be had or our own parts fail, also with how the guest died, if it did; a target's failure is the
 * recording's `trouble`.
 */
export async function recordInGuest(guests: Guests, order: RunOrder): Promise<LoggedRun> {
  const started = performance.now();
  const { fs, folder } = order;
  const whole = await guests.baseDisk(fs.name);
  const disk = path.join(folder, 'disk');
  const log = path.join(folder, 'log');
  const file = path.join(folder, 'trace');
  await copyDisk(whole, disk);
  const maps: Recording['maps'] = [];
  const { ran, console } = await guests.withGuest({ disk, log }, async (vm) => {
    const ran = await runAll(guests, vm, order, maps);
    await vm.stopAndQuit();
    return { ran, console: vm.console() };
  });
  await traceOfLog(log, file, guests.parts(fs));
  const trace = await readTraceIndex(file);
  const millis = performance.now() - started;
  const recording = { fs, base: whole, trace: file, maps, ...ran, millis };
  return { recording: await guests.shortBase(recording, folder), trace, console };
}

async function runAll(
  guests: Guests,
  vm: Vm,
  { target, seed, fs, commits }: RunOrder,
  maps: Recording['maps'],
): Promise<Pick<Recording, 'acked' | 'log' | 'trouble'>> {
  const { agent } = vm;
  const marks: Marks = { disk: { device: dataDevice, offset: guests.marksAt } };
  await mountData(agent, fs);
  const there = await bringTarget(agent, target);
  const made = await setUp(agent, there, seed, marks);
  const failed = whyNoSetUp(made);
  if (failed !== null) return { acked: -1, log: made?.log ?? '', trouble: failed.detail };
  const logs = [made?.log ?? ''];
  let acked = -1;
  for (let done = 0; done < commits; done += quiesceEvery) {
    const part = Math.min(quiesceEvery, commits - done);
    const create = target.kind === 'backend' && done === 0;
    // A program of the user's own works on until it is stopped: it runs once.
    const all = target.kind === 'command' ? commits : part;
    const hostTrouble = vm.watchHost();
    const timeoutMillis = runMillis + all * commitMillis;
    let ran: SubjectRun;
    try {
      const params = { target: there, dir: targetFolder, seed, create, commits: all, plan: null, marks };
      ran = await agent.call('run', params, { timeoutMillis });
    } catch (error) {
      if (!(error instanceof AgentError && error.kind === 'timeout')) throw error;
      await rejectFor(hostTrouble);
      const trouble = `${all} commits took longer than ${timeoutMillis / 1000} s: ask for fewer with --commits`;
      return { acked, log: logs.join('\n'), trouble };
    }
    logs.push(ran.log);
    acked = Math.max(acked, ran.acked);
    await agent.call('quiesce', { dir: mountFolder });
    maps.push({ commit: acked, extents: await mapFiles(agent) });
    const log = logs.join('\n');
    if (target.kind === 'command') {
      const ended = ran.acked >= commits || ran.end === 'exited';
      return { acked, log, trouble: ended ? null : (ran.detail ?? ran.end) };
    }
    if (ran.end !== 'exited') {
      return { acked, log, trouble: `the workload did not end: ${ran.detail ?? ran.end}` };
    }
  }
  return { acked, log: logs.join('\n'), trouble: acked < 0 ? 'nothing was committed' : null };
}
