/** Crash states of a log, mounted and recovered by a guest's kernel: many in one guest, without a boot between them. */
import { execa } from 'execa';
import { mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Target } from '../core/target.js';
import type { Recording } from '../disk/recording.js';
import type { CheckOptions, ReadSet, ReadWatch, StateName, StateSource } from '../disk/state-source.js';
import { AgentError } from '../guest/client.js';
import type { SubjectCheck } from '../subjects/subject.js';
import { extraDevices } from '../vm/config.js';
import type { Vm } from '../vm/vm.js';
import { makeStateImage, saveDisk } from './block-log.js';
import { bringTarget, type Guests } from './guests.js';
import { deathOf, failed, ranOutOfTime, rejectFor } from './second-guest.js';

const presentFolder = '/run/plugpull/present';
/** In the guest: the target's files before it was recovered. */
const copyFolder = '/tmp/plugpull-before';
const archiveFile = '/tmp/plugpull-before.tar';
const maxArchiveBytes = 64 * 1024 ** 2;
const askMillis = 60_000;
/** For each recovery of a state: its mount, and a check up to its own bound. */
const checkMillis = 60_000;
const sectorBytes = 512;
/** As many as plugpull-disk remembers. */
const maxLearnt = 4096;
const kernelLogBytes = 8 * 1024;

export interface GuestSourceOptions {
  guests: Guests;
  target: Target;
  seed: number;
  recording: Recording;
  /** Bytes that a write can be torn at. */
  unit: number;
  /** An existing folder on the host. */
  folder: string;
  /** Told of a guest that died and did not do so again with the same state. */
  note: (text: string) => void;
}

export class GuestSource implements StateSource {
  reads: ReadWatch | null = null;
  written: number | null = null;
  private vm: Vm | null = null;
  private lastLog = '';
  private lastRead: ReadSet | null = null;
  /** For the next guest, if this one dies. */
  private readonly learnt: ReadSet[] = [];

  private constructor(private readonly options: GuestSourceOptions) {}

  static async open(options: GuestSourceOptions): Promise<GuestSource> {
    const source = new GuestSource(options);
    try {
      const vm = await source.guest();
      const { watched } = await vm.agent.call('seen', {}, { timeoutMillis: askMillis });
      if (watched) source.reads = source.watch();
      return source;
    } catch (error) {
      await source.end();
      throw error;
    }
  }

  async digests(epoch: number, choices: readonly string[]): Promise<string[]> {
    const vm = await this.guest();
    return vm.agent.call('digests', { epoch, choices: [...choices] }, { timeoutMillis: askMillis });
  }

  private watch(): ReadWatch {
    const last = (): ReadSet | null => this.lastRead;
    const patience = { timeoutMillis: askMillis };
    return {
      get last() {
        return last();
      },
      look: async (epoch, choices) =>
        (await this.guest()).agent.call('look', { epoch, choices: [...choices] }, patience),
      learn: async (set) => {
        this.learnt.push(set);
        if (this.learnt.length > maxLearnt) this.learnt.shift();
        await (await this.guest()).agent.call('learn', set, patience);
      },
      open: async (epoch, name, choices) => {
        const { agent } = await this.guest();
        return (await agent.call('open', { epoch, name, choices }, patience)).writes;
      },
    };
  }

  async check(
    { epoch, choices }: StateName,
    acked: number,
    times = 1,
    { before, sameBytes = false }: CheckOptions = {},
  ): Promise<SubjectCheck[]> {
    const { target } = this.options;
    const copy = before === undefined ? {} : { copy: copyFolder };
    const each = checkMillis + (target.kind === 'command' ? target.limits.timeMs : 0);
    const attempt = async (): Promise<SubjectCheck[] | string> => {
      const vm = await this.guest();
      const hostTrouble = vm.watchHost();
      try {
        const params = { epoch, choices, acked, times, sameBytes, ...copy };
        const checks = await vm.agent.call('try', params, { timeoutMillis: askMillis + times * each });
        const late = checks.find(ranOutOfTime);
        if (late === undefined) {
          await this.note(vm);
          if (before !== undefined) await this.fetch(vm, before);
          return checks;
        }
        await rejectFor(hostTrouble);
        await this.end();
        return late.reason;
      } catch (error) {
        const death = await deathOf(vm, error, hostTrouble);
        this.lastLog = vm.console();
        await this.end();
        return death;
      }
    };
    const first = await attempt();
    if (typeof first !== 'string') return first;
    // Once more in a guest of its own: a fault of the emulator must not be taken for one of the target.
    const second = await attempt();
    if (typeof second === 'string') {
      this.lastRead = null;
      this.written = null;
      return [failed(second)];
    }
    this.options.note(`${first}; it did not do so again with the same state`);
    return second;
  }

  /** Brings the target's files here as they were before the checks, if they could be read and are not too large. */
  private async fetch({ agent }: Vm, before: (dir: string) => void): Promise<void> {
    const { folder } = this.options;
    const files = path.join(folder, 'files');
    const archive = path.join(folder, 'files.tar');
    rmSync(files, { recursive: true, force: true });
    try {
      await agent.call('pack', { dir: copyFolder, file: archiveFile }, { timeoutMillis: askMillis });
      writeFileSync(archive, await agent.getFile(archiveFile, maxArchiveBytes));
      mkdirSync(files);
      await execa('tar', ['-x', '-f', archive, '-C', files, '--no-same-owner'], { timeout: askMillis });
    } catch (error) {
      if (!(error instanceof AgentError && error.kind === 'refused')) throw error;
      this.options.note(`the files of a violation were not brought here: ${error.message}`);
      return;
    } finally {
      rmSync(archive, { force: true });
    }
    before(files);
  }

  /** What was seen of the state that was checked. */
  private async note({ agent }: Vm): Promise<void> {
    if (this.reads === null) return;
    const { last, written } = await agent.call('seen', {}, { timeoutMillis: askMillis });
    this.lastRead = last;
    this.written = written;
  }

  async save(state: StateName, file: string): Promise<void> {
    const { recording, unit, folder } = this.options;
    const image = path.join(folder, 'saved.img');
    await makeStateImage({ ...state, base: recording.base, trace: recording.trace, unit }, image);
    await saveDisk(image, recording.fs.bytes, file);
    rmSync(image);
  }

  async refresh(): Promise<void> {
    await (await this.guest()).agent.call('refresh', {}, { timeoutMillis: askMillis });
  }

  /** The end of what the guest's kernel said. */
  async kernelLog(): Promise<string> {
    if (this.vm === null) return this.lastLog.slice(-kernelLogBytes);
    const { text } = await this.vm.agent.call('kernelLog', {}, { timeoutMillis: askMillis });
    return text.slice(-kernelLogBytes);
  }

  async close(): Promise<void> {
    await this.end();
  }

  private async end(): Promise<void> {
    const { vm } = this;
    this.vm = null;
    if (vm?.alive() === true) await vm.kill();
  }

  private async guest(): Promise<Vm> {
    return (this.vm ??= await this.start());
  }

  private async start(): Promise<Vm> {
    const { guests, target, seed, recording, unit, folder } = this.options;
    const { base, trace, fs } = recording;
    const disk = path.join(folder, 'unused');
    await guests.emptyDisk(disk);
    // A disk has whole sectors; what is added is no record.
    const traceBytes = Math.ceil(statSync(trace).size / sectorBytes) * sectorBytes;
    truncateSync(trace, traceBytes);
    const vm = await guests.restore({ disk, extraDisks: [base, trace] });
    try {
      const { agent } = vm;
      const there = await bringTarget(agent, target);
      await agent.call('makeFolder', { path: presentFolder });
      const [baseDevice, traceDevice] = extraDevices;
      await agent.call(
        'present',
        {
          target: there,
          seed,
          base: { path: baseDevice, bytes: fs.bytes },
          trace: { path: traceDevice, bytes: traceBytes },
          fs: fs.name,
          unit,
          folder: presentFolder,
        },
        { timeoutMillis: askMillis },
      );
      for (const set of this.learnt) await agent.call('learn', set, { timeoutMillis: askMillis });
      return vm;
    } catch (error) {
      const why = await vm.explain(error);
      await vm.kill();
      throw why;
    }
  }
}
