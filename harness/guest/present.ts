/** Crash states of a recorded disk, shown to the agent's kernel. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { runProgram } from '../core/run-program.js';
import { native } from '../../native/index.js';
import { createChecker } from '../disk/checker.js';
import { parseFileSystem } from '../disk/file-systems.js';
import { Presenter } from '../disk/presenter.js';
import type { Look, ReadWatch } from '../disk/state-source.js';
import { ignoredBy } from '../subjects/ignored.js';
import type { SubjectCheck } from '../subjects/subject.js';
import type { Zygote } from '../subjects/zygote.js';
import { object, type Params, ParamsError, path as pathOf, text, texts, whole } from './params.js';
import type { Seen } from './protocol.js';
import { targetOf } from './work.js';

export class Present {
  private presenter: Presenter | null = null;

  /** @param zygote runs already; meanwhile it has nothing else to do */
  constructor(private readonly zygote: Zygote) {}

  async present(params: Params): Promise<null> {
    await this.end();
    const folder = pathOf(params, 'folder');
    const unit = whole(params, 'unit');
    if (unit !== 512 && unit !== 4096) throw new ParamsError('unit: 512 or 4096 is needed');
    const base = await fileOf(object(params.base, 'base'), path.join(folder, 'base'));
    const trace = await fileOf(object(params.trace, 'trace'), path.join(folder, 'trace'));
    const target = targetOf(params);
    const checker = createChecker(target, whole(params, 'seed'), folder, this.zygote);
    const fs = parseFileSystem(text(params, 'fs'));
    try {
      const shown = { base, trace, fs, maps: [], acked: 0, log: '', trouble: null, millis: 0 };
      this.presenter = await Presenter.start(shown, checker, folder, unit, {
        ignore: ignoredBy(target),
      });
    } catch (error) {
      await checker.close();
      throw error;
    }
    return null;
  }

  digests(params: Params): Promise<string[]> {
    return this.shown().digests(whole(params, 'epoch'), texts(params, 'choices').map(choicesOf));
  }

  try(params: Params): Promise<SubjectCheck[]> {
    const acked = Number(params.acked);
    const copy = params.copy === undefined ? {} : { before: copyTo(pathOf(params, 'copy')) };
    const options = { sameBytes: params.sameBytes === true, ...copy };
    return this.shown().check(stateOf(params), acked, whole(params, 'times'), options);
  }

  seen(): Seen {
    const { reads, written } = this.shown();
    return { watched: reads !== null, last: reads?.last ?? null, written };
  }

  look(params: Params): Promise<Look[]> {
    return this.watch().look(whole(params, 'epoch'), texts(params, 'choices').map(choicesOf));
  }

  async learn(params: Params): Promise<null> {
    await this.watch().learn({ name: word(params, 'name'), blocks: word(params, 'blocks') });
    return null;
  }

  async open(params: Params): Promise<{ writes: number[] | null }> {
    const { epoch, choices } = stateOf(params);
    return { writes: await this.watch().open(epoch, word(params, 'name'), choices) };
  }

  async refresh(): Promise<null> {
    await this.shown().refresh();
    return null;
  }

  async end(): Promise<void> {
    const presenter = this.presenter;
    this.presenter = null;
    await presenter?.close();
  }

  private watch(): ReadWatch {
    const { reads } = this.shown();
    if (reads === null) throw new ParamsError('what is read is not seen here');
    return reads;
  }

  private shown(): Presenter {
    if (this.presenter === null) throw new ParamsError('nothing is presented');
    return this.presenter;
  }
}

function stateOf(params: Params): { epoch: number; choices: string } {
  return { epoch: whole(params, 'epoch'), choices: choicesOf(text(params, 'choices')) };
}

function copyTo(copy: string): (dir: string) => void {
  return (dir) => {
    try {
      rmSync(copy, { recursive: true, force: true });
      native.copyFolder(dir, copy);
    } catch {
      // What cannot be read is the checks' business; there is no copy then.
      rmSync(copy, { recursive: true, force: true });
    }
  };
}

function choicesOf(choices: string): string {
  if (choices === '' || /\s/.test(choices)) throw new ParamsError('choices: one word is needed');
  return choices;
}

function word(params: Params, name: string): string {
  const value = text(params, name);
  if (value === '' || /\s/.test(value)) throw new ParamsError(`${name}: one word is needed`);
  return value;
}

/** The file itself, or what a block device begins with as a file. */
async function fileOf(from: Params, copy: string): Promise<string> {
  const file = pathOf(from, 'path');
  if (from.bytes === undefined) return file;
  const bytes = whole(from, 'bytes');
  await runProgram(
    'dd',
    [
      `if=${file}`,
      `of=${copy}`,
      'bs=64K',
      `count=${bytes}`,
      'iflag=count_bytes,fullblock',
      'conv=sparse',
      'status=none',
    ],
    { timeout: 120_000 },
  );
  await runProgram('truncate', ['--size', String(bytes), copy], { timeout: 10_000 });
  return copy;
}
