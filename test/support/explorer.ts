/** `plugpull-disk explore` on a disk that nothing was recorded of, in a mount namespace of its own. */
import { execa } from 'execa';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { makeImage, parseFileSystem, type FileSystem } from '../../harness/disk/file-systems.js';
import { diskProgram } from '../../harness/disk/line-process.js';
import { heldDevices } from './held-devices.js';

/** Its only state is `0 -`: the new file system. */
export async function emptyDisk(folder: string, name: string): Promise<FileSystem> {
  const fs = parseFileSystem(name);
  await makeImage(fs, path.join(folder, 'base'));
  const empty = path.join(folder, 'empty');
  writeFileSync(empty, '');
  await execa('truncate', ['--size', String(fs.bytes), empty]);
  await execa(diskProgram(), ['save', empty, path.join(folder, 'trace')]);
  return fs;
}

export class Explorer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string>,
    private readonly mount: string,
  ) {}

  /** @param hidden an existing folder that it shall find empty */
  static async start(
    folder: string,
    fs: FileSystem,
    flags: readonly string[] = [],
    hidden?: string,
  ): Promise<Explorer> {
    const mount = path.join(folder, 'state');
    mkdirSync(mount, { recursive: true });
    const files = ['--base', path.join(folder, 'base'), '--trace', path.join(folder, 'trace')];
    const how = ['--folder', mount, '--type', fs.type, '--options', fs.options, ...flags];
    const hide = hidden === undefined ? [] : ['sh', '-c', `mount -t tmpfs none ${hidden} && exec "$@"`, 'sh'];
    const child = spawn(
      'unshare',
      ['--mount', '--propagation', 'private', ...hide, diskProgram(), 'explore', ...files, ...how],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const explorer = new Explorer(child, lines, mount);
    const first = await explorer.line();
    if (first !== 'ready') throw new Error(`it said "${first}"`);
    return explorer;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The mounted state, as its namespace sees it. */
  get folder(): string {
    return path.join('/proc', String(this.pid), 'root', this.mount);
  }

  async ask(line: string): Promise<string> {
    this.child.stdin?.write(`${line}\n`);
    return this.line();
  }

  /** The device of this one. */
  devices(): string[] {
    return heldDevices((owner) => owner === this.pid);
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.stdin?.end();
    await once(this.child, 'exit');
  }

  private async line(): Promise<string> {
    const next = await this.lines.next();
    return next.done === true ? 'the end' : next.value;
  }
}
