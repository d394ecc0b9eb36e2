/**
 * The power switch of a machine. Power that was cut, or may have been, is owed until it was given back: also where this
 * process is stopped at once. (After a SIGKILL the next run gives it back: see Machine.up.)
 */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostOptions } from './options.js';
import { environment, type PowerResult, runPowerCommand } from './power.js';

/** A switch behind a network fails now and then, and nothing can follow without power. */
const tries = 3;
const againMillis = 1000;

type Command = 'power-off' | 'power-on';

export class PowerSwitch {
  private readonly told: string[] = [];
  private owed = false;

  constructor(
    private readonly options: Pick<HostOptions, 'address' | 'powerOff' | 'powerOn' | 'commandMillis'>,
  ) {}

  async off(): Promise<PowerResult> {
    this.owe();
    return await this.run('power-off', this.options.powerOff);
  }

  /** Gives power back; tries again where that fails. null: it comes back by itself. */
  async on(): Promise<PowerResult | null> {
    const { powerOn } = this.options;
    if (powerOn === null) return null;
    for (let number = 1; ; number++) {
      const result = await this.run('power-on', powerOn);
      if (result.ok) {
        this.owed = false;
        process.off('exit', this.onAtOnce);
      }
      if (result.ok || number === tries) return result;
      await sleep(againMillis);
    }
  }

  /** What was done since this was last asked for. */
  takeLog(): string {
    return this.told.splice(0).join('\n');
  }

  private async run(what: Command, command: string): Promise<PowerResult> {
    const { address, commandMillis } = this.options;
    const result = await runPowerCommand(what, command, address, commandMillis);
    this.told.push(`${what}: ${command}`, `  ${result.text} (${Math.round(result.millis)} ms)`);
    return result;
  }

  private owe(): void {
    if (this.owed || this.options.powerOn === null) return;
    this.owed = true;
    process.once('exit', this.onAtOnce);
  }

  /** Nobody is left to wait for it. */
  private readonly onAtOnce = (): void => {
    const { powerOn, address, commandMillis } = this.options;
    if (powerOn === null) return;
    const bound = ['-k', '1', String(commandMillis / 1000)];
    spawn('timeout', [...bound, '/bin/sh', '-c', powerOn], {
      detached: true,
      stdio: 'ignore',
      env: environment(address),
    }).unref();
  };
}
