/** The file system that a recording disk holds, mounted where the target works. */
import type { FileSystem } from './file-systems.js';
import type { LineProcess, MappedExtent } from './line-process.js';

export class RecordedMount {
  /** @param disk the recording disk's file; @param folder an empty folder */
  constructor(
    private readonly hand: LineProcess,
    private readonly fs: FileSystem,
    private readonly disk: string,
    readonly folder: string,
  ) {}

  async mount(): Promise<void> {
    const { name, type, options } = this.fs;
    const device = await this.hand.ask(`attach ${this.disk} direct`);
    const refused = await this.hand.ask(
      `mount ${device} ${this.folder} ${type} ${options === '' ? '-' : options}`,
    );
    if (refused !== '') throw new Error(`${name} cannot be mounted: ${refused}`);
  }

  async unmount(): Promise<void> {
    await this.hand.ask(`unmount ${this.folder}`);
  }

  /** All of it is on the disk, and its log is empty. */
  async freeze(): Promise<void> {
    await this.hand.ask(`freeze ${this.folder}`);
  }

  async map(): Promise<MappedExtent[]> {
    return this.hand.map(`map ${this.folder}`);
  }
}
