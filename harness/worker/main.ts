/**
 * The zygote: started once per slot with --single-threaded, it forks a child for every phase of a
 * trial, so that a phase costs a fork and not the start of a Node. It blocks on its stdin and
 * ends when the controller closes that, or dies.
 */
import { readSync, writeSync } from 'node:fs';
import { native } from '../../native/index.js';
import { loadWorkload } from '../../workloads/registry.js';
import type { Workload } from '../../workloads/workload.js';
import { actCheck, actRun, emitResult, sizeOf } from './act.js';
import { actExplore } from './explore.js';
import { actServe } from './serve.js';
import { warmUp } from './warm.js';
import type { ExploreResult, WarmJob, WorkerAnswer, WorkerJob, WorkerResult } from './job.js';

const logBytes = 16 * 1024;

/** Reads one line from stdin; null at its end. */
function lineReader(): () => string | null {
  const chunk = Buffer.alloc(64 * 1024);
  let pending = Buffer.alloc(0);
  return () => {
    for (;;) {
      const newline = pending.indexOf(10);
      if (newline >= 0) {
        const line = pending.toString('utf8', 0, newline);
        pending = pending.subarray(newline + 1);
        return line;
      }
      const count = readSync(0, chunk, 0, chunk.length, null);
      if (count === 0) return null;
      pending = Buffer.concat([pending, chunk.subarray(0, count)]);
    }
  };
}

function inChild(job: Exclude<WorkerJob, WarmJob>, workload: Workload): never {
  try {
    if (job.op === 'run') actRun(job, workload);
    else if (job.op === 'check') actCheck(job, workload);
    else if (job.op === 'serve') actServe(job, workload);
    else actExplore(job, workload);
    native.exitNow(0);
  } catch (error) {
    emitResult({ outcome: 'failed', state: null, reason: (error as Error).message });
    native.exitNow(70);
  }
}

/** What the child wrote up to its death. A last line without its newline does not count. */
function parse(output: Buffer): Pick<WorkerAnswer, 'acked' | 'steps' | 'result' | 'log' | 'explored'> {
  let acked = -1;
  let explored: ExploreResult | undefined;
  let result: WorkerResult | null = null;
  const steps: string[] = [];
  const log: string[] = [];
  const text = output.toString('utf8');
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line.startsWith('c ')) acked = Number(line.slice(2));
    else if (line.startsWith('s ')) steps.push(line.slice(line.indexOf(' ', 2) + 1));
    else if (line === 'p run') steps.length = 0;
    else if (line.startsWith('x ')) explored = JSON.parse(line.slice(2)) as ExploreResult;
    else if (line.startsWith('r ')) result = JSON.parse(line.slice(2)) as WorkerResult;
    else if (line !== '') log.push(line);
  }
  return {
    acked,
    steps,
    result,
    log: log.join('\n').slice(-logBytes),
    ...(explored === undefined ? {} : { explored }),
  };
}

function warm(): WorkerAnswer {
  warmUp();
  const end = { exit: 0, signal: null, stopped: null };
  return { end, acked: -1, begun: false, steps: [], result: null, log: '', millis: 0 };
}

function answer(job: Exclude<WorkerJob, WarmJob>, workload: Workload): WorkerAnswer {
  const started = process.hrtime.bigint();
  const pid = native.forkChild();
  if (pid === 0) inChild(job, workload);
  const end = native.waitChild(pid, job.limits);
  const { acked, steps, result, log, explored } = parse(end.output);
  return {
    end: { exit: end.exit, signal: end.signal, stopped: end.stopped },
    acked,
    begun: result === null,
    steps,
    result,
    log,
    ...(explored === undefined ? {} : { explored }),
    millis: Number(process.hrtime.bigint() - started) / 1e6,
  };
}

const read = lineReader();
for (let line = read(); line !== null; line = read()) {
  if (line === '') continue;
  let reply: WorkerAnswer | { error: string };
  try {
    const job = JSON.parse(line) as WorkerJob;
    if (job.op === 'warm') {
      writeSync(1, `${JSON.stringify(warm())}\n`);
      continue;
    }
    const workload = await loadWorkload(job.target.workloadModule ?? job.target.workload);
    // Before the fork: what is loaded here, every child has.
    workload.prepare?.(sizeOf(workload, job.target));
    reply = answer(job, workload);
  } catch (error) {
    reply = { error: (error as Error).message };
  }
  writeSync(1, `${JSON.stringify(reply)}\n`);
}
