/** Shows crash states of a recording to the kernel and lets them be checked. One for each worker. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { SubjectCheck } from '../subjects/subject.js';
import type { WorkerResult } from '../worker/job.js';
import { checkMillis, checkOf, type Checker, type Handed } from './checker.js';
import { LineProcess } from './line-process.js';
import { dataFolder, type Recording } from './recording.js';
import {
  unmountable,
  type Look,
  type ReadSet,
  type ReadWatch,
  type StateName,
  type StateSource,
} from './state-source.js';

export interface PresenterOptions {
  /** How changes by the kernel are found; see `plugpull-disk explore`. */
  undo?: 'auto' | 'trace' | 'compare';
  /** After every n-th state the whole disk is compared with what it should hold. 0: never; not there: now and then. */
  auditUndo?: number;
  /** Pages of events of the kernel that are held while a state is shown. */
  eventPages?: number;
  /** For audits: a hole in what is seen, at every n-th block that is read or request to write. */
  forgetReads?: number;
  forgetWrites?: number;
}

export class Presenter implements StateSource {
  reads: ReadWatch | null = null;
  written: number | null = null;
  private last: ReadSet | null = null;
  /** The process that the explorer asks for checks. */
  private handed: Handed | null = null;
  private waiting = false;

  private constructor(
    private readonly explorer: LineProcess,
    private readonly checker: Checker,
    private readonly mount: string,
  ) {}

  /** @param folder an existing folder; the state is mounted in a folder below it */
  static async start(
    recording: Pick<Recording, 'fs' | 'base' | 'trace'>,
    checker: Checker,
    folder: string,
    unit: number,
    { undo = 'auto', auditUndo, eventPages, forgetReads, forgetWrites }: PresenterOptions = {},
  ): Promise<Presenter> {
    const mount = path.join(folder, 'state');
    mkdirSync(mount, { recursive: true });
    const rare = Object.entries({
      '--audit-undo': auditUndo,
      '--event-pages': eventPages,
      '--forget-reads': forgetReads,
      '--forget-writes': forgetWrites,
    });
    const explorer = await LineProcess.start(
      ...['explore', '--base', recording.base, '--trace', recording.trace, '--folder', mount],
      ...[
        '--data',
        dataFolder,
        '--type',
        recording.fs.type,
        '--options',
        recording.fs.options,
        '--unit',
        String(unit),
      ],
      ...['--undo', undo],
      ...rare.flatMap(([flag, value]) => (value === undefined ? [] : [flag, String(value)])),
    );
    const presenter = new Presenter(explorer, checker, mount);
    if ((await explorer.ask('sees')) === '1') presenter.reads = presenter.watch();
    return presenter;
  }

  /** The target's folder in the mounted state. */
  get dir(): string {
    return path.join(this.mount, dataFolder);
  }

  /** Digests of the contents of states of one epoch. */
  async digests(epoch: number, choices: readonly string[]): Promise<string[]> {
    return (await this.look(epoch, choices)).map(({ digest }) => digest);
  }

  private async look(epoch: number, choices: readonly string[]): Promise<Look[]> {
    const answer = await this.explorer.ask(`digest ${epoch} ${choices.join(' ')}`);
    return answer.split(' ').map((one) => {
      const [digest = '', ...agrees] = one.split(':');
      return { digest, agrees };
    });
  }

  private watch(): ReadWatch {
    const last = (): ReadSet | null => this.last;
    return {
      get last() {
        return last();
      },
      look: (epoch, choices) => this.look(epoch, choices),
      learn: async ({ name, blocks }) => {
        await this.explorer.ask(`learn ${name} ${blocks}`);
      },
      open: async (epoch, name, choices) => {
        const answer = await this.explorer.ask(`open ${epoch} ${name} ${choices}`);
        if (answer === 'forgotten') return null;
        return answer === '' ? [] : answer.split(' ').map(Number);
      },
    };
  }

  /**
   * Mounts a state, checks it (`times` times, to see whether recovering again changes the outcome) and forgets it.
   * `before` is called with the mounted folder before anything has recovered the target.
   */
  async check(
    { epoch, choices }: StateName,
    acked: number,
    times = 1,
    before?: (dir: string) => void,
  ): Promise<SubjectCheck[]> {
    if (before === undefined && this.checker.hand !== undefined)
      return this.checkAtOnce({ epoch, choices }, times, await this.checker.hand());
    const mounted = await this.explorer.ask(`try ${epoch} ${choices}`);
    const checks: SubjectCheck[] = [];
    try {
      if (mounted !== '') return [refused(mounted)];
      before?.(this.dir);
      for (let i = 0; i < times; i++) {
        checks.push(await this.checker.check(this.dir, acked));
      }
    } finally {
      await this.end();
    }
    return checks;
  }

  /** Writes a state to a file (see docs/disk.md). */
  async save({ epoch, choices }: StateName, file: string): Promise<void> {
    await this.explorer.ask(`save ${epoch} ${choices} ${file}`);
  }

  /** A checker of its own for each of what must not depend on what was checked before. */
  async refresh(): Promise<void> {
    await this.checker.refresh();
  }

  async close(): Promise<void> {
    await this.checker.close();
    await this.explorer.close();
  }

  private async end(): Promise<void> {
    const end = async (): Promise<string> => this.explorer.ask('end');
    const told = await end().catch(async () => {
      // A checker that crashed or was stopped may still hold a file.
      await this.checker.refresh();
      return end();
    });
    this.ended(told.split(' '));
  }

  private ended([, writes, name = '-', blocks = '-']: string[]): void {
    this.written = this.reads === null ? null : Number(writes);
    this.last = name === '-' ? null : { name, blocks };
  }

  /** The same as `check` with one question to the explorer. */
  private async checkAtOnce(
    { epoch, choices }: StateName,
    times: number,
    checker: Handed,
  ): Promise<SubjectCheck[]> {
    if (this.handed !== checker) {
      await this.explorer.ask(`checker ${checker.folder}`);
      this.handed = checker;
      const stop = (): void => {
        // What it fails with is told by the question that is under way.
        if (this.handed === checker && this.waiting) this.explorer.ask('stop').catch(() => undefined);
      };
      checker.ended.then(stop, stop);
    }
    const started = performance.now();
    this.waiting = true;
    const told = await this.explorer
      .ask(`check ${checkMillis} ${times} ${epoch} ${choices}`)
      .finally(() => (this.waiting = false));
    const [how = '', ...words] = told.split(' ');
    if (how === 'done' || how === 'refused') this.ended(words.splice(0, 4));
    if (how === 'refused') return [refused(`refused ${words.join(' ')}`)];
    const millis = (performance.now() - started) / times;
    const answers = words.join(' ').split('\t');
    const results = answers.filter((text) => text !== '').map((text) => JSON.parse(text) as WorkerResult);
    const checks = results.map((result) => checkOf(result, millis));
    if (how === 'done') return checks;
    // It is mounted yet, and the checker may hold a file of it.
    await this.checker.refresh();
    this.handed = null;
    await this.end();
    if (how === 'late') checks.push(checkOf('timeout', millis));
    if (how === 'stopped') checks.push(checkOf(await checker.ended, millis));
    return checks;
  }
}

function refused(answer: string): SubjectCheck {
  const [, errno = '', ...text] = answer.split(' ');
  return {
    outcome: 'failed',
    state: null,
    reason: `${unmountable}: ${text.join(' ')} (errno ${errno})`,
    log: '',
    end: { exit: null, signal: null, stopped: null },
    millis: 0,
  };
}
