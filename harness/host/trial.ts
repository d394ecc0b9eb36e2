/**
 * One trial on a real machine: set up, work, cut the power, let it come back, recover, check, recover once more, judge.
 *
 * Every commit waits until we have confirmed its ack. So when the power fails, the newest ack that came here is commit K,
 * and nothing newer than K + 1 can have begun: as exact as on any other rig.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CrashPlan } from '../core/events.js';
import { promiseOf, type Target } from '../core/target.js';
import { AgentError } from '../guest/client.js';
import { judge, type Judgement, type Observation } from '../oracle/judge.js';
import type { SubjectCheck } from '../subjects/subject.js';
import { quote } from './connection.js';
import { workAndCut } from './cut.js';
import { HostError } from './error.js';
import { bringFiles } from './files.js';
import { shell } from './facts.js';
import type { Machine, Session } from './machine.js';
import { type PowerResult, runPowerCommand } from './power.js';

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

/** Names in our folder there. */
const dataFolder = 'data';
const afterCrashFolder = 'after-crash';
const recoveredOnceFolder = 'recovered-once';
const unflushedFile = 'unflushed';

export async function runHostTrial(machine: Machine, root: string, trial: HostTrial): Promise<HostOutcome> {
  const started = performance.now();
  return await new Trial(machine, root, trial).run(started);
}

class Trial {
  private readonly dir: string;
  private readonly power: string[] = [];
  private readonly checks: SubjectCheck[] = [];
  private unflushedLost: boolean | null = null;
  private afterCrash: string | null = null;
  private failure: HostError | null = null;
  private runLog = '';
  private runMillis = 0;

  constructor(
    private readonly machine: Machine,
    private readonly root: string,
    private readonly trial: HostTrial,
  ) {
    this.dir = path.posix.join(root, dataFolder);
  }

  async run(started: number): Promise<HostOutcome> {
    const observation: Observation = { acked: -1, crash: 'missed', promise: promiseOf(this.trial.target) };
    await this.observe(observation);
    return {
      judgement: judge(observation),
      acked: observation.acked,
      unflushedLost: this.unflushedLost,
      afterCrash: this.afterCrash,
      logs: { run: this.runLog, checks: this.checks.map(({ log }) => log), power: this.power.join('\n') },
      millis: {
        run: this.runMillis,
        recover: this.checks.at(-1)?.millis ?? 0,
        total: performance.now() - started,
      },
      failure: this.failure,
    };
  }

  private async observe(seen: Observation): Promise<void> {
    const missed = (detail: string): void => {
      seen.trouble = { kind: 'target', detail };
    };
    const session = await this.machine.up();
    const before = session.facts.bootId;
    let target: Target;
    try {
      const setup = await this.setUp(session);
      if (setup !== null) {
        missed(setup);
        return;
      }
      target = await this.target(session);
    } catch (error) {
      if (!isLost(error)) throw error;
      this.machine.leave();
      missed(`before the power was cut, ${(error as Error).message}`);
      return;
    }
    const since = performance.now();
    const { options } = this.machine;
    const { seed, plan, commits } = this.trial;
    const { acked, trouble, cut, run, wroteUnflushed } = await workAndCut(session, {
      target,
      dir: this.dir,
      seed,
      plan,
      commits,
      unflushed: this.unflushed,
      powerOff: () => this.switch('power-off', options.powerOff),
    });
    this.runMillis = performance.now() - since;
    this.runLog = run?.log ?? session.agent.log.toString();
    seen.acked = acked;
    this.machine.leave();
    if (!cut) {
      missed(trouble ?? 'the power was not cut');
      return;
    }
    const again = await this.comeBack();
    if (again instanceof HostError) {
      this.failure = again;
      missed(trouble ?? again.message);
      return;
    }
    if (again.facts.bootId === before) {
      missed('its boot id is still the same: the power command did not switch the machine off');
      return;
    }
    if (wroteUnflushed) this.unflushedLost = await this.isUnflushedLost(again);
    if (trouble !== null) {
      missed(trouble);
      return;
    }
    seen.crash = 'in-flight';
    await this.recover(again, seen);
  }

  /** Makes an empty folder that a power cut does not take away, and commit 0 of a program. Gives what failed. */
  private async setUp(session: Session): Promise<string | null> {
    const { connection, agent } = session;
    const { seed } = this.trial;
    await connection.must(
      shell(`rm -rf ${quote(this.root)} && mkdir -p ${quote(this.dir)} && sync`),
      `cannot empty ${this.root}`,
      { timeoutMillis: 5 * 60_000 },
    );
    const target = await this.target(session);
    if (target.kind === 'backend') return null;
    const made = await agent.call(
      'setup',
      { target, dir: this.dir, seed, plan: null, marks: {} },
      { timeoutMillis: target.limits.timeMs + graceMillis },
    );
    if (made.end === 'exited' && (made.exit ?? 0) === 0) return null;
    return `the set-up failed: ${made.detail ?? `exit status ${made.exit ?? '?'}`}`;
  }

  private async switch(what: 'power-off' | 'power-on', command: string): Promise<PowerResult> {
    const { address, commandMillis } = this.machine.options;
    const result = await runPowerCommand(what, command, address, commandMillis);
    this.power.push(`${what}: ${command}`, `  ${result.text} (${Math.round(result.millis)} ms)`);
    return result;
  }

  /** Power on, and wait. */
  private async comeBack(): Promise<Session | HostError> {
    const { powerOn, offMillis } = this.machine.options;
    await sleep(offMillis);
    try {
      if (powerOn !== null) {
        const on = await this.switch('power-on', powerOn);
        if (!on.ok) return new HostError('unreachable', on.text, 'see to the --power-on command');
      }
      return await this.machine.upAgain();
    } catch (error) {
      if (error instanceof HostError) return error;
      throw error;
    }
  }

  private async isUnflushedLost({ connection }: Session): Promise<boolean> {
    const { file, content } = this.unflushed;
    const { stdout } = await connection.exec(shell(`cat ${quote(file)} 2>/dev/null`));
    return stdout.toString('latin1') !== content;
  }

  private get unflushed(): { file: string; content: string } {
    return { file: path.posix.join(this.root, unflushedFile), content: `${this.trial.seed}\n` };
  }

  /** The target as it is there, its files brought along. */
  private async target(session: Session): Promise<Target> {
    const folder = path.posix.join(this.machine.options.remoteTools, 'files');
    return await bringFiles(session, this.trial.target, folder);
  }

  private async recover(session: Session, seen: Observation): Promise<void> {
    const { connection, agent } = session;
    try {
      const there = await connection.exec(shell(`[ -d ${quote(this.dir)} ]`));
      if (there.exit !== 0) {
        seen.first = { outcome: 'absent', state: null, reason: `the folder ${this.dir} is gone` };
        return;
      }
      const kept = path.posix.join(this.root, afterCrashFolder);
      const unreadable = await this.keep(session, kept);
      if (unreadable !== null) {
        seen.first = { outcome: 'failed', state: null, reason: unreadable };
        return;
      }
      this.afterCrash = kept;
      seen.first = await this.check(session, seen);
      if (seen.first.outcome === 'failed') return;
      const { target } = this.trial;
      const bytes = target.kind === 'backend' || target.recoverTwice === 'bytes';
      const once = path.posix.join(this.root, recoveredOnceFolder);
      if (bytes) await agent.call('keep', { dir: this.dir, copy: once }, { timeoutMillis: keepMillis });
      seen.second = await this.check(session, seen);
      if (!bytes || seen.second.outcome === 'failed') return;
      const ignore = target.kind === 'command' ? target.ignore : [];
      const compared = await agent.call(
        'compare',
        { dir: this.dir, copy: once, ignore },
        { timeoutMillis: keepMillis },
      );
      seen.difference = compared.difference;
    } catch (error) {
      if (!(error instanceof AgentError || isLost(error))) throw error;
      // Neither the target nor we can be blamed for a machine that goes away while it recovers.
      const lost = isLost(error);
      if (lost) this.machine.leave();
      const detail = `during recovery, ${(error as Error).message}`;
      seen.trouble = { kind: lost ? 'target' : 'harness', detail };
    }
  }

  /** Keeps the files as the cut left them. Gives why they cannot even be read. */
  private async keep({ agent }: Session, copy: string): Promise<string | null> {
    try {
      await agent.call('keep', { dir: this.dir, copy }, { timeoutMillis: keepMillis });
      return null;
    } catch (error) {
      const code = error instanceof AgentError ? error.failure?.code : undefined;
      if (code !== undefined && ['EIO', 'EUCLEAN', 'EBADMSG', 'EFSCORRUPTED'].includes(code)) {
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
      { target, dir: this.dir, seed, acked: seen.acked },
      { timeoutMillis: limit + graceMillis },
    );
    this.checks.push(check);
    if (check.misuse === true || (check.outcome === 'failed' && /no space left/i.test(check.reason))) {
      seen.trouble = { kind: 'target', detail: check.reason };
    }
    return check;
  }
}

/** The connection broke, or whoever was at its other end went away. */
function isLost(error: unknown): boolean {
  if (error instanceof HostError) return error.kind === 'lost';
  return error instanceof AgentError && error.kind === 'closed';
}
