/** The file system that a recording disk holds, mounted where the target works. */
import type { FileSystem } from './file-systems.js';
import { quoted, type LineProcess, type MappedExtent } from './line-process.js';

export class RecordedMount {
  /** @param disk the recording disk's file; @param folder an empty folder */
  constructor(
    private readonly hand: LineProcess,
    private readonly fs: FileSystem,
    private readonly disk: string,
    readonly folder: string,
  ) {}

  async mount(): Promise<void> {
    const device = await this.hand.ask(`attach ${quoted(this.disk)} direct`);
    await this.hand.ask(mountLine(device, this.folder, this.fs));
  }

  async unmount(): Promise<void> {
    await this.hand.ask(`unmount ${quoted(this.folder)}`);
  }

  /** All of it is on the disk, and its log is empty. */
  async quiesce(): Promise<void> {
    await this.hand.ask(`quiesce ${quoted(this.folder)}`);
  }

  async map(): Promise<MappedExtent[]> {
    return this.hand.map(`map ${quoted(this.folder)}`);
  }
}

/** What mounts a device, as `plugpull-disk hand` reads it. */
export function mountLine(
  device: string,
  folder: string,
  { type, options }: Pick<FileSystem, 'type' | 'options'>,
): string {
  return `mount ${device} ${quoted(folder)} ${type} ${options === '' ? '-' : quoted(options)}`;
}
