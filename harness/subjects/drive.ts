/** Drives one phase of a command target: reads its lines, answers them, bounds it, and says how it ended. */
import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { signalName } from './signals.js';
import type { GuardReport, LaunchOptions, Launched, Launcher } from './guard.js';
import { LineProtocol, type Phase } from './line-protocol.js';
import type { PhaseLimits, RunLimits, Stopped } from './subject.js';
import { Tail, lastLines } from './tail.js';

export interface DriveOptions {
  phase: Phase;
  launcher: Launcher;
  launch: LaunchOptions;
  limits: PhaseLimits & Partial<RunLimits>;
  /** Kill so long after the answer to this commit. 0 counts from the start of the program. */
  kill?: { afterCommit: number; delayMicros: number } | undefined;
}

/** What was seen of one phase. */
export interface Driven {
  report: GuardReport;
  protocol: LineProtocol;
  /** Commits that were acknowledged; -1: none, in set-up. */
  acked: number;
  /** It was waiting for an answer when it ended (or had not taken the one that was sent). */
  idle: boolean;
  /** Our reason to stop it, before the plan's moment had come. */
  stopped: Stopped | 'silence' | 'protocol' | 'commits' | null;
  /** A sentence for `stopped`. */
  detail: string;
  /** Its stdout (without the protocol's lines) and stderr as they came. */
  log: string;
  stderr: string;
  commitMicros?: number;
}

export async function drive(options: DriveOptions): Promise<Driven> {
  const { kill, launch, launcher, limits } = options;
  const fromStart = kill?.afterCommit === 0 || options.phase !== 'run';
  const launched = await launcher({
    ...launch,
    limits: { millis: limits.millis, memoryBytes: limits.memoryBytes, processes: limits.processes },
    killAfterMicros: kill !== undefined && fromStart ? kill.delayMicros : undefined,
  });
  return await new Drive(options, launched).watch();
}

/** At most so many commits are timed: the median needs no more. */
const maxTimed = 1000;

class Drive {
  readonly #log = new Tail();
  readonly #stderr = new Tail(8 * 1024);
  readonly #protocol: LineProtocol;
  #stopped: Driven['stopped'] = null;
  #detail = '';
  #output = 0;
  #answered: number;
  /** A commit that came and is not answered yet. */
  #due: number | null = null;
  #answeredAt = performance.now();
  #silence: NodeJS.Timeout | undefined;
  readonly #micros: number[] = [];

  constructor(
    readonly options: DriveOptions,
    readonly launched: Launched,
  ) {
    const handlers = {
      onCommit: (commit: number) => this.#onCommit(commit),
      onError: (message: string) => this.#stop('protocol', message),
    };
    this.#protocol = new LineProtocol(options.phase, handlers, this.#log);
    this.#answered = this.#protocol.lastCommit;
  }

  async watch(): Promise<Driven> {
    const { stdin, stdout, stderr } = this.launched;
    stdout.on('data', (chunk: Buffer) => {
      this.#count(chunk);
      this.#protocol.push(chunk);
      // Only now: a second commit in the same bytes was printed without waiting.
      this.#answer();
    });
    stderr.on('data', (chunk: Buffer) => {
      this.#count(chunk);
      this.#log.push(chunk);
      this.#stderr.push(chunk);
    });
    // Set-up may speak the protocol, but need not: its one answer lies there from the start.
    if (this.options.phase === 'setup') stdin.end('\n');
    if (this.options.phase === 'check') stdin.end();
    this.#listenForSilence();
    try {
      const report = await this.launched.ended;
      if (report.survivors.length > 0) {
        const pids = report.survivors.slice(0, 10).join(', ');
        throw new PlugpullError(`processes of the target could not be killed: ${pids}`, exitCodes.ownFailure);
      }
      return this.#result(report);
    } finally {
      clearTimeout(this.#silence);
    }
  }

  #result(report: GuardReport): Driven {
    clearTimeout(this.#silence);
    this.#protocol.finish();
    const unread = this.options.phase === 'run' ? (report.unread ?? 0) : 0;
    if (this.#protocol.error === null && unread > 1) {
      // More than a limit that was hit on the way: this is why.
      this.#stopped = 'protocol';
      this.#detail = `it did not wait: ${unread} answers on its stdin were never read`;
    }
    const micros = median(this.#micros);
    return {
      report,
      protocol: this.#protocol,
      acked: this.#protocol.lastCommit,
      idle: this.#answered < this.#protocol.lastCommit || unread > 0,
      ...this.#whyStopped(report),
      log: this.#log.toString(),
      stderr: this.#stderr.toString(),
      ...(micros === undefined ? {} : { commitMicros: micros }),
    };
  }

  #whyStopped({ stopped }: GuardReport): Pick<Driven, 'stopped' | 'detail'> {
    if (this.#stopped === 'protocol' || stopped === null)
      return { stopped: this.#stopped, detail: this.#detail };
    return { stopped, detail: describeLimit(stopped, this.options.limits) };
  }

  #count(chunk: Buffer): void {
    this.#output += chunk.length;
    if (this.#output > this.options.limits.outputBytes) {
      this.#stop('output', describeLimit('output', this.options.limits));
    }
  }

  #onCommit(commit: number): void {
    if (this.options.phase !== 'run') return;
    if (this.#answered < commit - 1) {
      this.#protocol.error = `it did not wait: commit ${commit} came before commit ${commit - 1} was answered`;
      this.#stop('protocol', this.#protocol.error);
      return;
    }
    if (this.#micros.length < maxTimed) this.#micros.push((performance.now() - this.#answeredAt) * 1000);
    this.#due = commit;
  }

  /** Tells of the commit that came, if one did, and answers it. */
  #answer(): void {
    const commit = this.#due;
    if (commit === null || this.#stopped !== null) return;
    this.#due = null;
    const told = this.options.limits.onCommit?.(commit);
    if (told === undefined) {
      this.#sendAnswer(commit);
      return;
    }
    clearTimeout(this.#silence);
    told.then(
      () => this.#sendAnswer(commit),
      (error: unknown) => this.#stop('protocol', `a commit could not be recorded: ${String(error)}`),
    );
  }

  #sendAnswer(commit: number): void {
    if (this.#stopped !== null) return;
    if (commit === this.options.limits.commits) {
      this.#stop('commits', '');
      return;
    }
    this.launched.stdin.write('\n');
    this.#answered = commit;
    this.#answeredAt = performance.now();
    const { kill } = this.options;
    if (kill?.afterCommit === commit) this.launched.kill(kill.delayMicros);
    this.#listenForSilence();
  }

  #listenForSilence(): void {
    const { answerMillis } = this.options.limits;
    if (this.options.phase !== 'run' || answerMillis === undefined || this.#stopped !== null) return;
    if (this.#silence === undefined) {
      this.#silence = setTimeout(() => this.#onSilence(answerMillis), answerMillis);
    } else {
      this.#silence.refresh();
    }
  }

  #onSilence(answerMillis: number): void {
    const last = this.#protocol.lastCommit;
    this.#stop('silence', `no line "plugpull commit ${last + 1}" within ${answerMillis / 1000} s`);
  }

  #stop(reason: NonNullable<Driven['stopped']>, detail: string): void {
    if (this.#stopped !== null) return;
    this.#stopped = reason;
    this.#detail = detail;
    clearTimeout(this.#silence);
    this.launched.kill();
  }
}

function median(values: number[]): number | undefined {
  if (values.length < 2) return undefined;
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function describeLimit(stopped: Stopped, limits: PhaseLimits): string {
  switch (stopped) {
    case 'time':
      return `it was not done within ${limits.millis / 1000} s`;
    case 'memory':
      return `it used more than ${Math.round(limits.memoryBytes / 2 ** 20)} MiB`;
    case 'output':
      return `it printed more than ${limits.outputBytes} bytes`;
    case 'processes':
      return `it had more than ${limits.processes} processes`;
  }
}

/** How the program itself ended, as a sentence with the end of its stderr. */
export function describeEnd(report: GuardReport, stderr: string): string {
  const said = lastLines(stderr);
  const tail = said === '' ? '' : `: ${said}`;
  if (report.signal !== null) return `ended by ${signalName(report.signal)}${tail}`;
  const exit = report.exit ?? -1;
  if (exit === 127) return `exit 127, program not found${tail}`;
  if (exit === 126) return `exit 126, program cannot be executed${tail}`;
  if (exit > 128 && exit <= 128 + 64) return `exit ${exit}, ended by ${signalName(exit - 128)}${tail}`;
  return `exit ${exit}${tail}`;
}
