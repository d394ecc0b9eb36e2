/** A real machine while it is tortured: connected, its agent running; gone when power is cut; back after a boot. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentClient, AgentError } from '../guest/client.js';
import { addressText } from './address.js';
import { type ChannelEnd, HostConnection, lastWords } from './connection.js';
import { HostError } from './error.js';
import { type HostFacts, type Mount, readFacts, sameMount, unfit } from './facts.js';
import { findInstalled, install, type Installed } from './install.js';
import { answers } from './knock.js';
import type { HostOptions } from './options.js';
import { PowerSwitch } from './switch.js';

// Its server is there: even a machine that is short of everything then lets us in.
const connectMillis = 60_000;
const againMillis = 500;
const knockAgainMillis = 100;
const leastPatience = 1000;
/** A knock may get lost or be answered slowly, and nobody is to be given power who has it. */
const patiences = [leastPatience, 2000, 4000];
/** A slow board needs its time to start node. */
const agentMillis = 90_000;

/** The machine while it is up. */
export interface Session {
  connection: HostConnection;
  facts: HostFacts;
  agent: AgentClient;
  /** How the agent ended, once its channel is closed. */
  agentEnd: Promise<ChannelEnd>;
}

export class Machine {
  readonly name: string;
  readonly power: PowerSwitch;
  private session: Session | null = null;

  /** @param mount what the folder lies on, where an earlier part of the run has seen that */
  constructor(
    readonly options: HostOptions,
    private readonly progress: (text: string) => void,
    private mount: Mount | null = null,
  ) {
    this.name = addressText(options.address);
    this.power = new PowerSwitch(options);
  }

  /** The connection that there is. */
  get current(): Session | null {
    return this.session;
  }

  /**
   * The machine as it is; connects where it is not connected. One that does not answer is given power: whoever was to do
   * that may have been killed. Rejects with a HostError.
   */
  async up(): Promise<Session> {
    if (this.session !== null) return this.session;
    const there = await this.answers();
    if (!there && this.options.powerOn !== null) {
      this.progress(`${this.name} does not answer: giving it power`);
      await this.givePower();
    } else if (this.mount === null) {
      // It is there or not: nobody has said that it will come.
      return await this.begin(await this.connect(connectMillis));
    }
    return await this.upAgain();
  }

  /** After a cut, or what should have been one: gives power back and waits, bounded. Rejects with a HostError. */
  async comeBack(): Promise<Session> {
    this.leave();
    await sleep(this.options.offMillis);
    await this.givePower();
    return await this.upAgain();
  }

  /** Leaves it, at once; what the agent has under way there ends. */
  leave(): void {
    this.session?.agent.close();
    this.session?.connection.close();
    this.session = null;
  }

  private async connect(timeoutMillis: number): Promise<HostConnection> {
    const { address, login, knownHosts } = this.options;
    return await HostConnection.connect({ address, login, knownHosts, timeoutMillis });
  }

  private async givePower(): Promise<void> {
    const on = await this.power.on();
    // Whoever answers has power, whatever the command thinks of being run in vain.
    if (on === null || on.ok || (await this.answers())) return;
    throw new HostError('unreachable', on.text, 'see to the --power-on command');
  }

  private async answers(): Promise<boolean> {
    for (const patience of patiences) {
      if (await answers(this.options.address, patience)) return true;
      await sleep(knockAgainMillis);
    }
    return false;
  }

  /** Waits for the login and the folder of a machine that may be booting. */
  private async upAgain(): Promise<Session> {
    const { address, bootMillis } = this.options;
    const since = performance.now();
    const deadline = since + bootMillis;
    // Each knock is work for a machine that is slow already: hasty ones without end would keep it from ever answering.
    const patience = (): number => Math.max(leastPatience, (performance.now() - since) / 5);
    for (;;) {
      try {
        while (!(await answers(address, patience())) && performance.now() < deadline)
          await sleep(knockAgainMillis);
        const left = deadline - performance.now();
        const connection = await this.connect(Math.max(1000, Math.min(connectMillis, left)));
        return await this.begin(connection, deadline);
      } catch (error) {
        // What boots refuses logins, lacks disks, and may start once more; another host key will not change by itself.
        if (!(error instanceof HostError) || error.kind === 'key') throw error;
        if (performance.now() + againMillis >= deadline) throw this.notBack(error);
        await sleep(againMillis);
      }
    }
  }

  private notBack(error: HostError): HostError {
    // It is there, but not as it was.
    if (error.kind === 'refused' || error.kind === 'unfit') return error;
    return new HostError(
      'unreachable',
      `${this.name} did not come back within ${this.options.bootMillis / 1000} s: ${error.message}`,
      this.options.powerOn === null
        ? 'does it start by itself when power returns? Else name a command by --power-on; more time: --boot-timeout'
        : 'see to the machine and its --power-on command; more time: --boot-timeout',
    );
  }

  private async begin(connection: HostConnection, deadline?: number): Promise<Session> {
    try {
      const { afterBoot } = this.options;
      if (afterBoot !== null) await connection.must(afterBoot, 'the --after-boot command failed');
      const facts = await this.look(connection, deadline);
      // Looked at after each boot: what was copied may not have survived.
      const installed = await this.install(connection, facts);
      this.session = { connection, facts, ...(await this.startAgent(connection, facts, installed)) };
      return this.session;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Waits for the folder, which may be mounted later than logins are let in. */
  private async look(connection: HostConnection, deadline = 0): Promise<HostFacts> {
    const { remoteDir } = this.options;
    for (;;) {
      const { facts, folder } = await readFacts(connection, remoteDir);
      const refusal = unfit(this.name, remoteDir, folder, facts);
      const before = this.mount;
      const other = before !== null && !sameMount(before, facts.mount);
      if (refusal === null && !other) {
        this.mount = facts.mount;
        return facts;
      }
      if (performance.now() + againMillis < deadline) {
        await sleep(againMillis);
        continue;
      }
      if (before === null || !other) throw refusal ?? new Error('unreachable');
      throw new HostError(
        'unfit',
        `${this.name} came back, but ${remoteDir} does not: it was ${before.fs} on ${before.point}, now there is ${facts.mount.fs} on ${facts.mount.point}`,
        'does the machine mount it at boot (/etc/fstab)? Else mount it by --after-boot; or the file system did not survive',
      );
    }
  }

  private async install(connection: HostConnection, facts: HostFacts): Promise<Installed> {
    const { remotePlugpull, remoteTools } = this.options;
    return remotePlugpull === null
      ? await install(connection, facts, remoteTools, this.progress)
      : await findInstalled(connection, remotePlugpull);
  }

  private async startAgent(
    connection: HostConnection,
    facts: HostFacts,
    installed: Installed,
  ): Promise<Pick<Session, 'agent' | 'agentEnd'>> {
    const { command } = installed;
    const opened = await connection.open(command);
    const agent = new AgentClient(opened.channel, `the agent on ${this.name}`);
    try {
      await agent.hello({ timeoutMillis: agentMillis });
      // So that the first trial after a boot is not slower than others.
      await agent.call('warm', {}, { timeoutMillis: agentMillis });
      return { agent, agentEnd: opened.ended };
    } catch (error) {
      agent.close();
      if (!(error instanceof AgentError)) throw error;
      const said = lastWords(opened.stderr());
      throw new HostError(
        'unfit',
        `${error.message}${said === '' ? '' : `: ${said}`}`,
        said.includes('GLIBC')
          ? `its C library (${facts.libc}) is too old for what runs here: build plugpull on the machine itself, and name it by --remote-plugpull`
          : `try there: ${command}`,
      );
    }
  }
}
