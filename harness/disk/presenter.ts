/** Shows crash states of a recording to the kernel and lets them be checked. One for each worker. */
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { PlugpullError } from '../core/errors.js';
import { lazilyUnmount } from '../rigs/scratch.js';
import type { SubjectCheck } from '../subjects/subject.js';
import type { WorkerResult } from '../worker/job.js';
import { checkMillis, checkOf, type Checker, type Handed } from './checker.js';
import { Hung, LineProcess } from './line-process.js';
import { mountMillis, refusal } from './mounted-image.js';
import { recover } from './recover.js';
import { dataFolder, type Recording } from './recording.js';
import { repair } from './repair.js';
import {
  unmountable,
  unrecovered,
  type CheckOptions,
  type Look,
  type ReadSet,
  type ReadWatch,
  type Repair,
  type StateName,
  type StateSource,
} from './state-source.js';

export interface PresenterOptions {
  /** Where states are mounted; not there: where it is quickest. */
  shownBy?: 'loop' | 'zram';
  /** How changes by the kernel are found; see `plugpull-disk explore`. */
  undo?: 'auto' | 'trace' | 'compare';
  /** After every n-th state the whole disk is compared with what it should hold. 0: never; not there: now and then. */
  auditUndo?: number;
  /** Pages of events of the kernel that are held while a state is shown. */
  eventPages?: number;
  /** For audits: a hole in what is seen, at every n-th block that is read or request to write. */
  forgetReads?: number;
  forgetWrites?: number;
  /** How long mounting and unmounting may take. */
  patienceMillis?: number;
  /** Files that two recoveries may leave different. */
  ignore?: ((file: string) => boolean) | null;
}

export class Presenter implements StateSource {
  reads: ReadWatch | null = null;
  written: number | null = null;
  /** As the kernel's log names it. */
  device: string | null = null;
  private last: ReadSet | null = null;
  /** The process that the explorer asks for checks. */
  private handed: Handed | null = null;
  private waiting = false;
  private starts = 0;
  private mount = '';
  private explorer!: LineProcess;

  private constructor(
    private readonly recording: Pick<Recording, 'fs' | 'base' | 'trace'>,
    private readonly checker: Checker,
    private readonly folder: string,
    private readonly unit: number,
    private readonly options: PresenterOptions,
  ) {}

  /** @param folder an existing folder; the state is mounted in a folder below it */
  static async start(
    recording: Pick<Recording, 'fs' | 'base' | 'trace'>,
    checker: Checker,
    folder: string,
    unit: number,
    options: PresenterOptions = {},
  ): Promise<Presenter> {
    const presenter = new Presenter(recording, checker, folder, unit, options);
    await presenter.begin();
    if ((await presenter.explorer.ask('sees')) === '1') presenter.reads = presenter.watch();
    return presenter;
  }

  private async begin(): Promise<void> {
    const { fs, base, trace } = this.recording;
    const { undo = 'auto', auditUndo, eventPages, forgetReads, forgetWrites } = this.options;
    // Recorded on sectors of 512 bytes, a program of somebody's own may rely on them, our backends do not.
    const quickest = fs.zram && this.checker.hand !== undefined ? 'zram' : 'loop';
    const rare = Object.entries({
      '--audit-undo': auditUndo,
      '--event-pages': eventPages,
      '--forget-reads': forgetReads,
      '--forget-writes': forgetWrites,
    });
    this.mount = path.join(this.folder, this.starts++ === 0 ? 'state' : `state-${this.starts}`);
    mkdirSync(this.mount, { recursive: true });
    this.explorer = await LineProcess.start(
      ...['explore', '--base', base, '--trace', trace, '--folder', this.mount],
      ...['--data', dataFolder, '--type', fs.type, '--options', fs.options],
      ...['--unit', String(this.unit), '--undo', undo, '--device', this.options.shownBy ?? quickest],
      ...rare.flatMap(([flag, value]) => (value === undefined ? [] : [flag, String(value)])),
    );
    this.device = path.basename(await this.explorer.ask('device'));
  }

  /** Another explorer, with another device and folder, instead of one that hangs. What was learnt is gone. */
  private async replace(): Promise<void> {
    await this.explorer.close();
    if (this.handed !== null) await this.checker.refresh();
    this.handed = null;
    lazilyUnmount(this.mount);
    this.last = null;
    this.written = null;
    await this.begin();
  }

  private get patience(): number {
    return this.options.patienceMillis ?? mountMillis;
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

  /** Mounts a state, checks it (`times` times, to see whether recovering again changes the outcome) and forgets it. */
  async check(
    { epoch, choices }: StateName,
    acked: number,
    times = 1,
    { before, sameBytes = false }: CheckOptions = {},
  ): Promise<SubjectCheck[]> {
    if (before === undefined && !(sameBytes && times > 1) && this.checker.hand !== undefined)
      return this.checkAtOnce({ epoch, choices }, times, await this.checker.hand());
    const mounted = await this.unlessHung(this.explorer.ask(`try ${epoch} ${choices}`, this.patience));
    if (typeof mounted !== 'string') return [mounted];
    const checks: SubjectCheck[] = [];
    try {
      if (mounted === '') {
        before?.(this.dir);
        const { folder } = this;
        const options = { times, sameBytes, ignore: this.options.ignore ?? null, folder };
        checks.push(...(await recover(this.checker, this.dir, acked, options)));
      } else {
        checks.push(refused(mounted));
      }
    } finally {
      const trouble = await this.end(checks);
      if (trouble !== null) checks.splice(0, checks.length, unrecovered(trouble, 'time'));
    }
    return checks;
  }

  async repair(state: StateName, acked: number, refusal: string): Promise<Repair> {
    const saved = path.join(this.folder, 'unmountable');
    const folder = path.join(this.folder, 'repaired');
    const dir = path.join(folder, dataFolder);
    await this.save(state, saved);
    try {
      return await repair(this.recording.fs, saved, folder, refusal, () =>
        this.checker.check(dir, acked).finally(() => this.checker.refresh()),
      );
    } finally {
      rmSync(saved, { force: true });
    }
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

  /** Gives why the state could not be given up in time; null: it was. */
  private async end(checks: readonly SubjectCheck[]): Promise<string | null> {
    let told: string;
    try {
      told = await this.giveUp();
    } catch (error) {
      // What hangs in the kernel, be it a check that was stopped or the unmounting itself, is left to itself.
      if (!(error instanceof Hung) && !checks.some(({ end }) => end.stopped === 'time')) throw error;
      await this.replace();
      return error instanceof Hung ? `unmounting did not end in ${this.patience / 1000} s` : null;
    }
    this.note(told.split(' '));
    return null;
  }

  private note([, writes, name = '-', blocks = '-']: string[]): void {
    this.written = this.reads === null ? null : Number(writes);
    this.last = name === '-' ? null : { name, blocks };
  }

  /** What the explorer answers, or what follows where mounting hangs: then there is another explorer. */
  private async unlessHung(answer: Promise<string>): Promise<string | SubjectCheck> {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof Hung)) throw error;
      await this.replace();
      return unrecovered(`${unmountable}: ${refusal(error, this.patience)}`, 'time');
    }
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
    const most = times * checkMillis + 2 * this.patience;
    const told = await this.unlessHung(
      this.explorer
        .ask(`check ${checkMillis} ${times} ${epoch} ${choices}`, most)
        .finally(() => (this.waiting = false)),
    );
    if (typeof told !== 'string') return [told];
    const [how = '', ...words] = told.split(' ');
    if (how === 'done' || how === 'refused') this.note(words.splice(0, 4));
    if (how === 'refused') return [refused(`refused ${words.join(' ')}`)];
    const millis = (performance.now() - started) / times;
    const answers = words.join(' ').split('\t');
    const results = answers.filter((text) => text !== '').map((text) => JSON.parse(text) as WorkerResult);
    const checks = results.map((result) => checkOf(result, millis));
    if (how === 'done') return checks;
    // It is mounted yet, and the checker may hold a file of it.
    await this.checker.refresh();
    this.handed = null;
    if (how === 'late') checks.push(checkOf('timeout', millis));
    if (how === 'stopped') checks.push(checkOf(await checker.ended, millis));
    const trouble = await this.end(checks);
    return trouble === null ? checks : [unrecovered(trouble, 'time')];
  }

  private async giveUp(): Promise<string> {
    const end = async (): Promise<string> => this.explorer.ask('end', this.patience);
    return end().catch(async (error: unknown) => {
      if (error instanceof PlugpullError) throw error;
      // A checker that crashed or was stopped may still hold a file.
      await this.checker.refresh();
      return end();
    });
  }
}

function refused(answer: string): SubjectCheck {
  const [, errno = '', ...text] = answer.split(' ');
  return unrecovered(`${unmountable}: ${text.join(' ')} (errno ${errno})`);
}
