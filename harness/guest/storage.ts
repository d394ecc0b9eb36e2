/** File systems on the agent's block devices. */
import { mkdirSync } from 'node:fs';
import { loadExeca } from '../core/execa.js';
import { PlugpullError } from '../core/errors.js';
import { makeFileSystem, parseFileSystem } from '../disk/file-systems.js';
import { LineProcess, type MappedExtent } from '../disk/line-process.js';
import { type Params, path, text, whole } from './params.js';

/** What fits into one line of the protocol. */
const maxExtents = 10_000;

export class Storage {
  private hand: Promise<LineProcess> | null = null;

  /** Starts the process that mounts. */
  async warm(): Promise<void> {
    await this.mounter();
  }

  async makeFs(params: Params): Promise<null> {
    await makeFileSystem(parseFileSystem(text(params, 'fs')), path(params, 'device'), whole(params, 'bytes'));
    return null;
  }

  async mount(params: Params): Promise<{ error: string | null }> {
    const fs = parseFileSystem(text(params, 'fs'));
    const device = path(params, 'device');
    const dir = path(params, 'dir');
    mkdirSync(dir, { recursive: true });
    const options = fs.options === '' ? '-' : fs.options;
    const hand = await this.mounter();
    try {
      await hand.ask(`mount ${device} ${dir} ${fs.type} ${options}`);
      return { error: null };
    } catch (error) {
      // That the process is gone which mounts says nothing about the file system; what it answers does.
      if (!(error instanceof PlugpullError)) return { error: (error as Error).message };
      this.hand = null;
      throw error;
    }
  }

  async unmount(params: Params): Promise<null> {
    await (await this.mounter()).ask(`unmount ${path(params, 'dir')}`);
    return null;
  }

  async quiesce(params: Params): Promise<null> {
    await (await this.mounter()).ask(`quiesce ${path(params, 'dir')}`);
    return null;
  }

  async map(params: Params): Promise<{ extents: MappedExtent[] }> {
    const extents = await (await this.mounter()).map(`map ${path(params, 'dir')}`);
    return { extents: extents.slice(0, maxExtents) };
  }

  async repair(params: Params): Promise<{ log: string }> {
    const fs = parseFileSystem(text(params, 'fs'));
    const device = path(params, 'device');
    const said: string[] = [];
    const { execa } = await loadExeca();
    for (const [program = '', ...args] of fs.repair) {
      const done = await execa(program, [...args, device], {
        reject: false,
        all: true,
        timeout: 60_000,
        maxBuffer: 64 * 1024,
        env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
      });
      const how =
        done.exitCode === undefined ? (done.shortMessage ?? 'it did not end') : `exit ${done.exitCode}`;
      said.push(`$ ${program} ${args.join(' ')}: ${how}\n${done.all}`);
      if (done.exitCode === 0) break;
    }
    return { log: said.join('\n').slice(-32 * 1024) };
  }

  async close(): Promise<void> {
    await (await this.hand?.catch(() => null))?.close();
    this.hand = null;
  }

  private mounter(): Promise<LineProcess> {
    this.hand ??= LineProcess.start('hand').catch((error: unknown) => {
      this.hand = null;
      throw error;
    });
    return this.hand;
  }
}
