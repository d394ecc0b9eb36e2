/** A run directory: lock, event log, findings. Nothing in it is ever changed once written, but appended to. */
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { storageError, UsageError } from '../core/errors.js';
import { makeFolder } from '../core/make-folder.js';
import { startOf } from '../core/process-start.js';
import { EventLog } from './event-log.js';

export const eventsFile = 'events.jsonl';
const lockFile = 'lock';

export class RunDir {
  private constructor(
    readonly folder: string,
    readonly log: EventLog,
    private readonly lock: string,
  ) {}

  /** A new run directory, or one to go on with. */
  static open(folder: string, mode: 'new' | 'resume'): RunDir {
    const events = path.join(folder, eventsFile);
    if (mode === 'new' && existsSync(events)) {
      throw new UsageError(
        `${folder} already holds a run`,
        'name another folder with --out, or go on with this one by --resume',
      );
    }
    if (mode === 'resume' && !existsSync(events)) {
      throw new UsageError(`${folder} holds no run to resume`, 'see `plugpull list runs`');
    }
    try {
      makeFolder(folder);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'error';
      throw new UsageError(
        `cannot make the run directory ${folder}: ${code}`,
        'name a writable one with --out',
      );
    }
    const lock = path.join(folder, lockFile);
    takeLock(lock, folder);
    try {
      return new RunDir(folder, EventLog.append(events), lock);
    } catch (error) {
      rmSync(lock, { force: true });
      throw storageError(error, `cannot write ${events}`);
    }
  }

  close(): void {
    try {
      this.log.close();
    } finally {
      rmSync(this.lock, { force: true });
    }
  }
}

function takeLock(lock: string, folder: string): void {
  for (let attempt = 0; attempt < 2; attempt++) {
    let fd: number;
    try {
      fd = openSync(lock, 'wx');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        const code = (error as NodeJS.ErrnoException).code ?? 'error';
        throw new UsageError(
          `cannot write in the run directory ${folder}: ${code}`,
          'name another one with --out',
        );
      }
      const [pid, start] = readFileSync(lock, 'utf8').trim().split(' ');
      if (pid !== undefined && start !== undefined && startOf(Number(pid)) === start) {
        throw new UsageError(
          `process ${pid} is writing to ${folder}`,
          'wait for it, or name another folder with --out',
        );
      }
      rmSync(lock, { force: true }); // its owner is gone
      continue;
    }
    try {
      writeSync(fd, `${process.pid} ${startOf(process.pid) ?? '?'}\n`);
    } catch (error) {
      rmSync(lock, { force: true });
      throw storageError(error, `cannot write in the run directory ${folder}`);
    } finally {
      closeSync(fd);
    }
    return;
  }
  throw new UsageError(`cannot lock ${folder}: another process takes it as well`);
}
