/**
 * Inside user-mode Linux: writes down, outside of what would be gone with the kernel, which crash state is being shown. If
 * the kernel crashes, the controller can show that state to another one.
 */
import { execa } from 'execa';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { SourceMaker } from '../campaign/disk-engine.js';
import type { ReadWatch, StateName, StateSource } from '../disk/state-source.js';
import { shownFile, shownFolder, showingFile, type Shown, type Showing } from './protocol.js';

/** Longer than any note of a state: short states are padded, so that a note is one write. */
const noteBytes = 64 * 1024;

export class Witness {
  private sources = 0;
  private recording: string | null = null;
  private readonly folder: string;

  /** @param shared the folder that the controller sees */
  constructor(shared: string) {
    this.folder = path.join(shared, shownFolder);
  }

  /** Makes a source as `make` does, and watches over it. */
  readonly watched: (make: SourceMaker) => SourceMaker = (make) => async (options) => {
    const { recording } = options;
    if (this.recording !== recording.trace) {
      rmSync(this.folder, { recursive: true, force: true });
      mkdirSync(this.folder);
      const [base, trace] = [path.join(this.folder, 'base'), path.join(this.folder, 'trace')];
      // Images are mostly holes.
      await execa('cp', ['--sparse=always', recording.base, base]);
      await execa('cp', ['--sparse=always', recording.trace, trace]);
      const { target, seed, unit } = options;
      const shown: Shown = { target, seed, unit, fs: recording.fs, base, trace };
      writeFileSync(path.join(this.folder, shownFile), JSON.stringify(shown));
      this.recording = recording.trace;
      this.sources = 0;
    }
    return new WatchedSource(await make(options), path.join(this.folder, showingFile(this.sources++)));
  };
}

class WatchedSource implements StateSource {
  private readonly fd: number;

  constructor(
    private readonly inner: StateSource,
    note: string,
  ) {
    this.fd = openSync(note, 'w');
  }

  get reads(): ReadWatch | null {
    return this.inner.reads ?? null;
  }

  get written(): number | null {
    return this.inner.written ?? null;
  }

  async check(
    state: StateName,
    acked: number,
    times?: number,
    before?: (dir: string) => void,
  ): ReturnType<StateSource['check']> {
    const showing: Showing = { state, acked };
    const text = JSON.stringify(showing);
    if (text.length <= noteBytes) writeSync(this.fd, text, 0);
    try {
      return await this.inner.check(state, acked, times, before);
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
    return this.inner.close();
  }
}
