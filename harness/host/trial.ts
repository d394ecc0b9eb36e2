/**
 * One trial on a real machine: set up, work, cut the power, let it come back, recover, check, recover once more, judge.
 *
 * Every commit waits until we have confirmed its ack. So when the power fails, the newest ack that came here is commit K,
 * and nothing newer than K + 1 can have begun: as exact as on any other rig.
 */
import path from 'node:path';
import type { CrashPlan } from '../core/events.js';
import { promiseOf, type Target } from '../core/target.js';
import { isViolation } from '../core/verdict.js';
import { AgentError } from '../guest/client.js';
import { judge, type Judgement, type Observation } from '../oracle/judge.js';
import type { SubjectCheck } from '../subjects/subject.js';
import { quote } from './connection.js';
import { type Cut, workAndCut } from './cut.js';
import { HostError } from './error.js';
import { bringFiles } from './files.js';
import { shell } from './facts.js';
import type { Machine, Session } from './machine.js';
import type { Place } from './place.js';

export interface HostTrial {
  target: Target;
  seed: number;
  plan: CrashPlan;
  /** End of a run whose power is not cut before. */
  commits: number;
}

export interface HostOutcome {
  judgement: Judgement;
  acked: number;
  /** A file that nobody flushed, written right before the cut: is it gone? null: it was not written, or not looked for. */
  unflushedLost: boolean | null;
  /** Folder there with the files as they were right after the cut; valid until the next trial. */
  afterCrash: string | null;
  logs: { run: string; checks: string[]; power: string };
  millis: { run: number; recover: number; total: number };
  /** The machine, or its switch, did not do as it should: no trial can follow until somebody has seen to it. */
  failure: HostError | null;
}

const keepMillis = 120_000;
const checkMillis = 60_000;
const graceMillis = 30_000;
/** Errors of a disk that cannot be read, and those of one that is full or cannot be written. */
const unreadableCodes = ['EIO', 'EUCLEAN', 'EBADMSG', 'EFSCORRUPTED'];
const theirs = [...unreadableCodes, 'ENOSPC', 'EDQUOT', 'EROFS'];

export async function runHostTrial(machine: Machine, place: Place, trial: HostTrial): Promise<HostOutcome> {
  const started = performance.now();
  return await new Trial(machine, place, trial).run(started);
}

class Trial {
  private readonly checks: SubjectCheck[] = [];
  private unflushedLost: boolean | null = null;
  private afterCrash: string | null = null;
  private failure: HostError | null = null;
  private runLog = '';
  private runMillis = 0;

  constructor(
    private readonly machine: Machine,
    private readonly place: Place,
    private readonly trial: HostTrial,
  ) {}

  async run(started: number): Promise<HostOutcome> {
    const observation: Observation = { acked: -1, crash: 'missed', promise: promiseOf(this.trial.target) };
    await this.observe(observation);
    return {
      judgement: judge(observation),
      acked: observation.acked,
      unflushedLost: this.unflushedLost,
      afterCrash: this.afterCrash,
      logs: {
        run: this.runLog,
        checks: this.checks.map(({ log }) => log),
        power: this.machine.power.takeLog(),
      },
      millis: {
        run: this.runMillis,
        recover: this.checks.at(-1)?.millis ?? 0,
        total: performance.now() - started,
      },
      failure: this.failure,
    };
  }

  private async observe(seen: Observation): Promise<void> {
    const session = await this.machine.up();
    const before = session.facts.bootId;
    let target: Target;
    try {
      const setup = await this.setUp(session);
      if (setup !== null) {
        seen.trouble = { kind: 'target', detail: setup };
        return;
      }
      target = await this.target(session);
    } catch (error) {
      seen.trouble = this.blame('before the power was cut', error);
      return;
    }
    const cut = await this.cut(session, target);
    seen.acked = cut.acked;
    const missed = (detail: string): void => {
      seen.trouble = { kind: 'target', detail };
    };
    if (cut.power === 'on') {
      this.machine.leave();
      missed(cut.trouble ?? 'the power was not cut');
      return;
    }
    // Also after a doubtful cut: else the machine might stay off.
    let again: Session;
    try {
      again = await this.machine.comeBack();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.failure = error;
      missed(cut.trouble ?? error.message);
      return;
    }
    if (cut.power === 'off' && again.facts.bootId === before) {
      missed('its boot id is still the same: the power command did not switch the machine off');
      return;
    }
    try {
      if (cut.wroteUnflushed && again.facts.bootId !== before) {
        this.unflushedLost = await this.isUnflushedLost(again);
      }
      if (cut.trouble !== null) {
        missed(cut.trouble);
        return;
      }
      seen.crash = 'in-flight';
      await this.recover(again, seen);
    } catch (error) {
      seen.trouble = this.blame('during recovery', error);
    }
  }

  private async cut(session: Session, target: Target): Promise<Cut> {
    const since = performance.now();
    const { seed, plan, commits } = this.trial;
    const cut = await workAndCut(session, {
      target,
      dir: this.place.data,
      seed,
      plan,
      commits,
      unflushed: { file: this.place.unflushed, content: this.unflushed },
      powerOff: () => this.machine.power.off(),
    });
    this.runMillis = performance.now() - since;
    this.runLog = cut.run?.log ?? session.agent.log.toString();
    return cut;
  }

  /** What a talk with the machine that failed says of the trial. Throws what no trial can follow. */
  private blame(when: string, error: unknown): NonNullable<Observation['trouble']> {
    const talk = error instanceof HostError && ['lost', 'refused'].includes(error.kind);
    if (!talk && !(error instanceof AgentError)) throw error;
    // It may be gone, or hang: the next login will show.
    this.machine.leave();
    // Neither the target nor we can be blamed for a machine that goes away, or whose disk is full or broken.
    return { kind: isOurs(error) ? 'harness' : 'target', detail: `${when}, ${error.message}` };
  }

  /** Makes an empty folder that a power cut does not take away, and commit 0 of a program. Gives what failed. */
  private async setUp(session: Session): Promise<string | null> {
    const { connection, agent } = session;
    const { seed } = this.trial;
    await this.place.clear(connection);
    const target = await this.target(session);
    if (target.kind === 'backend') return null;
    const made = await agent.call(
      'setup',
      { target, dir: this.place.data, seed, plan: null, marks: {} },
      { timeoutMillis: target.limits.timeMs + graceMillis },
    );
    if (made.end === 'exited' && (made.exit ?? 0) === 0) return null;
    return `the set-up failed: ${made.detail ?? `exit status ${made.exit ?? '?'}`}`;
  }

  private async isUnflushedLost({ connection }: Session): Promise<boolean> {
    const { stdout } = await connection.exec(shell(`cat ${quote(this.place.unflushed)} 2>/dev/null`));
    return stdout.toString('latin1') !== this.unflushed;
  }

  /** Content of the file that nobody flushes. */
  private get unflushed(): string {
    return `${this.trial.seed}\n`;
  }

  /** The target as it is there, its files brought along. */
  private async target(session: Session): Promise<Target> {
    const folder = path.posix.join(this.machine.options.remoteTools, 'files');
    return await bringFiles(session, this.trial.target, folder);
  }

  private async recover(session: Session, seen: Observation): Promise<void> {
    const { connection, agent } = session;
    const { data: dir, afterCrash, recoveredOnce } = this.place;
    const there = await connection.exec(shell(`[ -d ${quote(dir)} ]`));
    if (there.exit !== 0) {
      seen.first = { outcome: 'absent', state: null, reason: `the folder ${dir} is gone` };
      return;
    }
    const unreadable = await this.keep(session, afterCrash);
    if (unreadable !== null) {
      seen.first = { outcome: 'failed', state: null, reason: unreadable };
      return;
    }
    this.afterCrash = afterCrash;
    seen.first = await this.check(session, seen);
    // What was seen is not to be taken back by a machine that goes away later.
    if (isViolation(judge(seen).verdict)) return;
    const { target } = this.trial;
    const bytes = target.kind === 'backend' || target.recoverTwice === 'bytes';
    if (bytes) await agent.call('keep', { dir, copy: recoveredOnce }, { timeoutMillis: keepMillis });
    seen.second = await this.check(session, seen);
    if (!bytes || seen.second.outcome === 'failed') return;
    const ignore = target.kind === 'command' ? target.ignore : [];
    const compared = await agent.call(
      'compare',
      { dir, copy: recoveredOnce, ignore },
      { timeoutMillis: keepMillis },
    );
    seen.difference = compared.difference;
  }

  /** Keeps the files as the cut left them. Gives why they cannot even be read. */
  private async keep({ agent }: Session, copy: string): Promise<string | null> {
    try {
      await agent.call('keep', { dir: this.place.data, copy }, { timeoutMillis: keepMillis });
      return null;
    } catch (error) {
      const code = error instanceof AgentError ? error.failure?.code : undefined;
      if (code !== undefined && unreadableCodes.includes(code)) {
        return `the files cannot be read after the cut: ${(error as Error).message}`;
      }
      throw error;
    }
  }

  private async check(session: Session, seen: Observation): Promise<SubjectCheck> {
    const { agent } = session;
    const { seed } = this.trial;
    const target = await this.target(session);
    const limit = target.kind === 'command' ? target.limits.timeMs : checkMillis;
    const check = await agent.call(
      'check',
      { target, dir: this.place.data, seed, acked: seen.acked },
      { timeoutMillis: limit + graceMillis },
    );
    this.checks.push(check);
    if (check.misuse === true || (check.outcome === 'failed' && /no space left/i.test(check.reason))) {
      seen.trouble = { kind: 'target', detail: check.reason };
    }
    return check;
  }
}

/** Was it a request of ours that failed? */
function isOurs(error: unknown): boolean {
  if (!(error instanceof AgentError) || error.kind === 'closed' || error.kind === 'timeout') return false;
  const code = error.failure?.code;
  return code === undefined || !theirs.includes(code);
}
