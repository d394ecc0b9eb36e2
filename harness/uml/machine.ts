/** One user-mode Linux: boots, takes one job at a time, and leaves nothing behind however it or we end. */
import { closeSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlugpullError, UnavailableError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { projectRoot } from '../core/version.js';
import { privateMountsVariable } from '../rigs/reflink.js';
import { onPath, whyNoUml, userModeLinux, type UserModeLinux } from '../rigs/uml.js';
import { launchLocally, type Launched } from '../subjects/guard.js';
import { guestWork, initScript } from './init.js';
import { memoryFolder } from './memory-folder.js';
import { sharedFolder } from './shared-folder.js';
import {
  answersFile,
  bootFile,
  initFile,
  jobFile,
  stopFile,
  type Answer,
  type Boot,
  type Job,
} from './protocol.js';

/** Memory of one machine: images of disks lie in it. */
export const guestBytes = 1024 ** 3;
const mib = 1024 ** 2;
/** How often answers are looked for, milliseconds. */
const lookMillis = 50;
const bootMillis = 120_000;
const closeMillis = 10_000;
const consoleBytes = 64 * 1024;
const readBytes = 256 * 1024;
/** Ends of the kernel's life, as its console tells them. */
const panicLine = /Kernel panic.*|Oops.*|BUG: .*|kernel BUG at .*/;

export interface MachineOptions {
  /** An existing folder for what both sides see; null: one for temporary files. */
  folder: string | null;
  /** Processor to stay on; null: any. */
  cpu: number | null;
  /** A guest that says nothing for so long is taken for hung. */
  silenceMillis?: number;
}

/** The guest ended, or was ended, in the middle of a job. */
export class GuestDied extends PlugpullError {
  override name = 'GuestDied';
  constructor(
    message: string,
    /** The end of what the kernel said. */
    readonly console: string,
    /** The kernel gave up by itself. */
    readonly panicked: boolean,
  ) {
    super(message, exitCodes.ownFailure);
  }
}

export class Machine {
  private console = '';
  private over = false;
  private readonly ended: Promise<void>;
  private readonly fd: number;
  private offset = 0;
  private torn = Buffer.alloc(0);
  private jobs = 0;
  private lastSign = performance.now();

  private constructor(
    readonly folder: string,
    private readonly launched: Launched,
    private readonly silenceMillis: number,
  ) {
    this.fd = openSync(path.join(folder, answersFile), 'r');
    for (const stream of [launched.stdout, launched.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        this.console = (this.console + text).slice(-consoleBytes);
      });
    }
    this.ended = launched.ended
      .then(
        () => undefined,
        (error: unknown) => {
          this.console += `\n${(error as Error).message}`;
        },
      )
      .finally(() => {
        this.over = true;
      });
  }

  /** Boots one. Throws UnavailableError where that cannot be done on this machine. */
  static async boot(options: MachineOptions): Promise<Machine> {
    const uml = requireUml();
    const guest = path.join(projectRoot, 'dist', 'harness', 'uml', 'guest.js');
    const folder = sharedFolder(options.folder);
    try {
      const boot: Boot = { cwd: process.cwd(), env: guestEnvironment(), work: guestWork };
      writeFileSync(path.join(folder, bootFile), JSON.stringify(boot));
      writeFileSync(path.join(folder, answersFile), '');
      writeFileSync(path.join(folder, initFile), initScript({ uml, folder, node: process.execPath, guest }));
      const launched = await launchLocally({
        argv: commandLine(uml, folder, options.cpu),
        env: { ...process.env, TMPDIR: memoryFolder(guestBytes) },
      });
      launched.stdin.end();
      const machine = new Machine(folder, launched, options.silenceMillis ?? 120_000);
      try {
        await machine.ready();
      } catch (error) {
        await machine.close();
        throw error;
      }
      return machine;
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Gives it a job and calls `on` for each answer until the job is done. Throws GuestDied, or the error that the job
   * failed by. @param stopping asked many times a second; once true, the job is told to end, and ended if it does not
   */
  async work(
    job: Job,
    on: (answer: Answer) => void,
    stopping: () => boolean,
    graceMillis: number,
  ): Promise<void> {
    this.put(jobFile(++this.jobs), JSON.stringify(job));
    this.lastSign = performance.now();
    let told: number | null = null;
    for (;;) {
      for (const answer of this.answers()) {
        if (answer.type === 'done') return;
        if (answer.type === 'failed') {
          if (answer.exitCode === exitCodes.unavailable)
            throw new UnavailableError(answer.message, answer.remedy);
          throw new PlugpullError(answer.message, answer.exitCode, answer.remedy);
        }
        if (answer.type !== 'alive') on(answer);
      }
      if (this.over) throw this.death();
      if (performance.now() - this.lastSign > this.silenceMillis) {
        throw await this.giveUp(`said nothing for ${Math.round(this.silenceMillis / 1000)} s`);
      }
      if (told === null && stopping()) {
        told = performance.now();
        this.put(stopFile, '');
      }
      if (told !== null && performance.now() - told > graceMillis) throw await this.giveUp('did not stop');
      await Promise.race([sleep(lookMillis), this.ended]);
    }
  }

  /** Ends it, with everything that it has in its memory. */
  async close(): Promise<void> {
    this.launched.kill();
    await Promise.race([this.ended, sleep(closeMillis, undefined, { ref: false })]);
    closeSync(this.fd);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async ready(): Promise<void> {
    const since = performance.now();
    while (performance.now() - since < bootMillis) {
      if (this.answers().some(({ type }) => type === 'ready')) return;
      if (this.over) break;
      await Promise.race([sleep(lookMillis), this.ended]);
    }
    const said = this.console.trim().split('\n').slice(-6).join('\n  ');
    throw new UnavailableError(
      `user-mode Linux did not start here${said === '' ? '' : `:\n  ${said}`}`,
      'it needs ptrace(2) and memory that may be executed; rig model needs nothing',
    );
  }

  /** What was said since last time. A line that is not whole yet is left for the next time. */
  private answers(): Answer[] {
    const chunk = Buffer.alloc(readBytes);
    const parts = [this.torn];
    for (;;) {
      const count = readSync(this.fd, chunk, 0, chunk.length, this.offset);
      if (count === 0) break;
      this.offset += count;
      parts.push(Buffer.from(chunk.subarray(0, count)));
    }
    if (parts.length === 1) return [];
    this.lastSign = performance.now();
    const all = Buffer.concat(parts);
    const whole = all.lastIndexOf(10) + 1;
    this.torn = all.subarray(whole);
    return all
      .subarray(0, whole)
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Answer);
  }

  /** The guest must never see half a file. */
  private put(name: string, text: string): void {
    const file = path.join(this.folder, name);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }

  private async giveUp(why: string): Promise<GuestDied> {
    this.launched.kill();
    await Promise.race([this.ended, sleep(closeMillis, undefined, { ref: false })]);
    return new GuestDied(`user-mode Linux ${why} and was ended`, this.lastWords(), false);
  }

  private death(): GuestDied {
    const panic = panicLine.exec(this.console)?.[0].trim();
    return new GuestDied(
      panic === undefined
        ? 'user-mode Linux ended by itself'
        : `the kernel of user-mode Linux crashed: ${panic}`,
      this.lastWords(),
      panic !== undefined,
    );
  }

  private lastWords(): string {
    return this.console.trim().slice(-8 * 1024);
  }
}

export function requireUml(): UserModeLinux {
  const uml = userModeLinux();
  if (uml !== null) return uml;
  const { reason, remedy } = whyNoUml() ?? { reason: 'there is no user-mode Linux', remedy: '' };
  throw new UnavailableError(reason, remedy);
}

function commandLine(uml: UserModeLinux, folder: string, cpu: number | null): string[] {
  const taskset = onPath('taskset');
  return [
    // The guest's open files are open files of the kernel's process.
    ...['/bin/sh', '-c', 'ulimit -n "$(ulimit -H -n)"; exec "$@"', 'sh'],
    // One processor for all its processes: they hand over to each other all the time.
    ...(cpu === null || taskset === null ? [] : [taskset, '--cpu-list', String(cpu)]),
    uml.program,
    `mem=${guestBytes / mib}M`,
    ...[
      'rootfstype=hostfs',
      'rootflags=/',
      'ro',
      'con=null',
      'con0=null,fd:1',
      'loglevel=4',
      'panic=-1',
      'devtmpfs.mount=0',
    ],
    `uml_dir=${folder}`,
    'umid=uml',
    'init=/bin/sh',
    '--',
    path.join(folder, initFile),
  ];
}

/** What programs of the user's own may look for. Its own folders for temporary files are not the guest's. */
function guestEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
  return { ...env, TMPDIR: '/tmp', [privateMountsVariable]: '1' };
}
