/**
 * Inside user-mode Linux: writes down, outside of what would be gone with the kernel, which crash state is being shown. If
 * the kernel crashes, the controller can show that state to another one.
 */
import { execa } from 'execa';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { SourceMaker } from '../campaign/disk-engine.js';
import type { CheckOptions, ReadWatch, Repair, StateName, StateSource } from '../disk/state-source.js';
import { shownFolder, showingFile, type Shown, type Showing } from './protocol.js';

/** Copies of what a recording left, for as long as a source makes states of it. */
interface Copies {
  folder: string;
  base: string;
  trace: string;
  users: number;
}

export class Witness {
  private sources = 0;
  private readonly folder: string;
  /** By the trace that was copied. */
  private readonly copies = new Map<string, Copies>();

  /** @param shared the folder that the controller sees */
  constructor(shared: string) {
    this.folder = path.join(shared, shownFolder);
    mkdirSync(this.folder, { recursive: true });
  }

  /** Makes a source as `make` does, and watches over it. */
  readonly watched: (make: SourceMaker) => SourceMaker = (make) => async (options) => {
    const { target, seed, unit, recording } = options;
    const number = this.sources++;
    const copies = this.copies.get(recording.trace) ?? (await this.copy(recording, number));
    const { base, trace } = copies;
    const source = await make(options);
    copies.users++;
    const shown: Shown = { target, seed, unit, fs: recording.fs, base, trace };
    return new WatchedSource(source, shown, path.join(this.folder, showingFile(number)), () => {
      if (--copies.users > 0) return;
      this.copies.delete(recording.trace);
      rmSync(copies.folder, { recursive: true, force: true });
    });
  };

  private async copy(recording: { base: string; trace: string }, number: number): Promise<Copies> {
    const folder = path.join(this.folder, `recording-${number}`);
    mkdirSync(folder);
    const [base, trace] = [path.join(folder, 'base'), path.join(folder, 'trace')];
    // Images are mostly holes.
    await execa('cp', ['--sparse=always', recording.base, base]);
    await execa('cp', ['--sparse=always', recording.trace, trace]);
    const copies = { folder, base, trace, users: 0 };
    this.copies.set(recording.trace, copies);
    return copies;
  }
}

class WatchedSource implements StateSource {
  private readonly fd: number;

  constructor(
    private readonly inner: StateSource,
    private readonly shown: Shown,
    private readonly note: string,
    private readonly done: () => void,
  ) {
    this.fd = openSync(note, 'w');
  }

  get reads(): ReadWatch | null {
    return this.inner.reads ?? null;
  }

  get device(): string | null {
    return this.inner.device ?? null;
  }

  get written(): number | null {
    return this.inner.written ?? null;
  }

  async check(
    state: StateName,
    acked: number,
    times?: number,
    options?: CheckOptions,
  ): ReturnType<StateSource['check']> {
    const showing: Showing = { ...this.shown, state, acked, times: times ?? 1 };
    writeSync(this.fd, JSON.stringify(showing), 0);
    try {
      return await this.inner.check(state, acked, times, options);
    } finally {
      ftruncateSync(this.fd, 0);
    }
  }

  async repair(state: StateName, acked: number, refusal: string): Promise<Repair | null> {
    const showing: Showing = { ...this.shown, state, acked, times: 1 };
    writeSync(this.fd, JSON.stringify(showing), 0);
    try {
      return (await this.inner.repair?.(state, acked, refusal)) ?? null;
    } finally {
      ftruncateSync(this.fd, 0);
    }
  }

  async digests(epoch: number, choices: readonly string[]): Promise<string[]> {
    return this.inner.digests(epoch, choices);
  }

  async save(state: StateName, file: string): Promise<void> {
    return this.inner.save(state, file);
  }

  async refresh(): Promise<void> {
    return this.inner.refresh();
  }

  async close(): Promise<void> {
    closeSync(this.fd);
    rmSync(this.note, { force: true });
    this.done();
    return this.inner.close();
  }
}
