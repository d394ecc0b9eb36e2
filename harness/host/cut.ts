/** The part of a trial that ends with the cut: the workload runs, its acks are confirmed, and the power fails. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CrashPlan } from '../core/events.js';
import type { Target } from '../core/target.js';
import type { SubjectRun } from '../subjects/subject.js';
import type { Session } from './machine.js';
import type { PowerResult } from './power.js';

export interface Work {
  target: Target;
  dir: string;
  seed: number;
  plan: CrashPlan;
  /** End of a run whose power is not cut before. */
  commits: number;
  /** File there that is written right before the cut and that nobody flushes. */
  unflushed: { file: string; content: string };
  powerOff: () => Promise<PowerResult>;
}

export interface Cut {
  acked: number;
  /** Why nothing was measured, or null. */
  trouble: string | null;
  /** `on`: the power command was not even run. `doubtful`: it was, but failed, or the machine goes on answering. */
  power: 'on' | 'doubtful' | 'off';
  wroteUnflushed: boolean;
  run: SubjectRun | null;
}

/** For the commits before the cut. */
const workMillis = 120_000;
/** An agent that does not answer for so long is not there any more. */
const aliveMillis = 3000;
/** After its power command a machine lives no longer than this. */
const deathMillis = 10_000;
/** The longest that a timer can wait: the end of a run is told by other means. */
const forever = 2 ** 31 - 1;

export async function workAndCut(session: Session, work: Work): Promise<Cut> {
  const { agent } = session;
  const { target, dir, seed, plan, commits } = work;
  const state: Omit<Cut, 'trouble' | 'power'> & { begun: boolean; done: boolean } = {
    acked: target.kind === 'command' ? 0 : -1,
    begun: false,
    done: false,
    run: null,
    wroteUnflushed: false,
  };
  const result = (trouble: string | null, power: Cut['power']): Cut => ({
    acked: state.acked,
    wroteUnflushed: state.wroteUnflushed,
    run: state.run,
    trouble,
    power,
  });
  const first = plan.afterCommit ?? 0;
  let reached: (value: 'moment') => void = () => undefined;
  const moment = new Promise<'moment'>((resolve) => {
    reached = resolve;
  });
  const forget = agent.onMark((text) => {
    const commit = /^ack (\d+)$/.exec(text)?.[1];
    if (commit !== undefined) state.acked = Number(commit);
    if (text === 'begin') state.begun = true;
    if (text.startsWith('done')) state.done = true;
    // Commit 0 of a program is there before it runs: a cut would find nothing in flight.
    if (state.begun && state.acked >= first) reached('moment');
  });
  const create = target.kind === 'backend';
  const marks = { confirm: true, steps: false };
  const ended = agent
    .call('run', { target, dir, seed, create, commits, plan: null, marks }, { timeoutMillis: forever })
    .then(
      (how) => {
        state.run = how;
        return describeEnd(how);
      },
      (error: unknown) => (error as Error).message,
    );
  const timers = new AbortController();
  const after = async <T>(millis: number, value: T): Promise<T> =>
    await sleep(millis, value, { signal: timers.signal }).catch(() => value);
  try {
    const begun = await Promise.race([moment, ended, after(workMillis, 'late' as const)]);
    if (begun === 'late') {
      const missing = state.begun ? `no commit ${first}` : 'the work had not begun';
      return result(`${missing} within ${workMillis / 1000} s`, 'on');
    }
    const now =
      begun === 'moment'
        ? await Promise.race([ended, after((plan.delayMicros ?? 0) / 1000, 'moment')])
        : begun;
    if (now !== 'moment') return result(`before the power was cut, ${now}`, 'on');
    state.wroteUnflushed = await writeUnflushed(session, work.unflushed);
    const off = await work.powerOff();
    if (!off.ok) return result(off.text, 'doubtful');
    if (!(await dies(session))) {
      const seconds = deathMillis / 1000;
      return result(
        `the power-off command ended well, but the machine still answered ${seconds} s later`,
        'doubtful',
      );
    }
    if (state.run !== null || state.done) return result(`before the power failed, ${await ended}`, 'off');
    return result((await wasEndedInOrder(session)) ? shutDown : null, 'off');
  } finally {
    timers.abort();
    forget();
  }
}

const shutDown =
  'the machine ended its programs in order, as in a shutdown: the power-off command must cut the power';

async function writeUnflushed({ agent }: Session, { file, content }: Work['unflushed']): Promise<boolean> {
  try {
    await agent.putFile(file, 0o644, Buffer.from(content), { timeoutMillis: aliveMillis });
    return true;
  } catch {
    return false; // only a witness is missing
  }
}

/** Waits until the machine does not answer any more; false if it goes on answering. */
async function dies({ agent, connection }: Session): Promise<boolean> {
  const lost = connection.lost.then(() => true);
  const deadline = performance.now() + deathMillis;
  while (performance.now() < deadline) {
    const answered = agent.call('bootId', {}, { timeoutMillis: aliveMillis }).then(
      () => false,
      () => true,
    );
    if (await Promise.race([answered, lost])) return true;
    await Promise.race([sleep(50), lost]);
  }
  return false;
}

/** A power cut gives the agent no time to end; a shutdown tells how it ended. */
async function wasEndedInOrder({ agentEnd }: Session): Promise<boolean> {
  const end = await Promise.race([agentEnd, sleep(100, null)]);
  return end !== null && (end.exit !== null || end.signal !== null);
}

function describeEnd(run: SubjectRun): string {
  switch (run.end) {
    case 'exited':
      return run.exit === 0
        ? 'the program ended by itself: give it more work by --commits'
        : `the program ended early: ${run.detail ?? `exit status ${run.exit ?? '?'}`}`;
    case 'killed-by-us':
      return 'the program had done all its commits: give it more by --commits';
    default:
      return run.detail ?? `the program ended (${run.end})`;
  }
}
