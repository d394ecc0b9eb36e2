/** Guests of one kernel: the image, and the template that they are restored from. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open, truncate } from 'node:fs/promises';
import path from 'node:path';
import { UnavailableError } from '../core/errors.js';
import type { CommandTarget, Target } from '../core/target.js';
import { parseFileSystem, type FileSystem } from '../disk/file-systems.js';
import type { MappedExtent } from '../disk/line-process.js';
import { dataFolder, type Recording } from '../disk/recording.js';
import type { AgentClient } from '../guest/client.js';
import {
  BrokenImageError,
  buildImage,
  findImage,
  heldFile,
  holdFiles,
  type VmImage,
} from '../images/image.js';
import { dataDevice, marksOffset } from '../vm/config.js';
import { ensureTemplate, type Template } from '../vm/template.js';
import { manifestFile } from '../vm/template-files.js';
import { Vm, type RestoreOptions } from '../vm/vm.js';
import { copyDisk, type DiskParts } from './block-log.js';
import type { GuestFacts } from './guest-facts.js';

/** Where the file system is mounted in a guest, and the target's folder in it. */
export const mountFolder = '/mnt/plugpull';
export const targetFolder = `${mountFolder}/${dataFolder}`;
/** Where programs of `--with` lie in a guest. */
const withFolder = '/run/plugpull/with';
const inputFile = '/run/plugpull/input';

export class Guests {
  private readonly bases = new Map<string, Promise<string>>();
  private made = 0;

  private constructor(
    /** As of --kernel. */
    readonly kernel: string,
    readonly image: VmImage,
    readonly template: Template,
    private readonly folder: string,
    private readonly held: { release(): void },
  ) {}

  /**
   * Finds the image of this kernel or builds it, also where it is broken, and boots it once if that was not done before.
   * @param folder an existing folder for disks
   */
  static async open(kernel: string, folder: string, progress: (text: string) => void): Promise<Guests> {
    const found = await findImage(kernel).catch((error: unknown) => {
      if (error instanceof BrokenImageError) return null; // it is built again, which says so
      throw error;
    });
    const image = found ?? (await buildImage(kernel, progress));
    const holdImage = holdFiles([heldFile(image)]);
    try {
      const template = await ensureTemplate(image, {}, progress);
      const parts = [heldFile(image), path.join(template.folder, manifestFile), template.payload];
      return new Guests(kernel, image, template, mkdtempSync(path.join(folder, 'guests-')), holdFiles(parts));
    } finally {
      holdImage.release();
    }
  }

  /** Exactly what they run: part of each finding and of its bundle. */
  get facts(): GuestFacts {
    const { id, manifest } = this.image;
    const { release, package: name, version } = manifest.kernel;
    const { qemu, config } = this.template;
    return {
      kernel: this.kernel,
      release,
      kernelPackage: `${name} ${version}`,
      image: id,
      qemu: qemu.version,
      accel: config.accel,
      packages: manifest.packages,
    };
  }

  get marksAt(): number {
    return marksOffset(this.template.config.diskBytes);
  }

  parts(fs: FileSystem): DiskParts {
    return { bytes: fs.bytes, marksAt: this.marksAt };
  }

  async restore(disks: RestoreOptions): Promise<Vm> {
    return Vm.restore(this.template, disks);
  }

  /** A guest for as long as `body` works with it. Rejects with what stands behind a failure, as far as the guest shows it. */
  async withGuest<T>(disks: RestoreOptions, body: (vm: Vm) => Promise<T>): Promise<T> {
    const vm = await this.restore(disks);
    try {
      return await body(vm);
    } catch (error) {
      throw await vm.explain(error);
    } finally {
      await vm.kill();
    }
  }

  /** A disk with nothing on it. */
  async emptyDisk(file: string): Promise<void> {
    const handle = await open(file, 'w');
    await handle.truncate(this.template.config.diskBytes);
    await handle.close();
  }

  /** A whole disk with a fresh file system in which the target's folder is; made by this kernel's own tools, once. */
  async baseDisk(fsName: string): Promise<string> {
    let base = this.bases.get(fsName);
    if (base === undefined) {
      base = this.makeBase(parseFileSystem(fsName));
      this.bases.set(fsName, base);
      // Whoever asks next tries again.
      base.catch(() => this.bases.delete(fsName));
    }
    return base;
  }

  private async makeBase(fs: FileSystem): Promise<string> {
    const disk = path.join(this.folder, `base-${++this.made}`);
    await this.emptyDisk(disk);
    await this.withGuest({ disk }, async (vm) => {
      const { agent } = vm;
      await agent.call('makeFs', { device: dataDevice, fs: fs.name, bytes: fs.bytes });
      await mountData(agent, fs);
      await agent.call('makeFolder', { path: targetFolder });
      await agent.call('unmount', { dir: mountFolder });
      await vm.stopAndQuit();
    });
    return disk;
  }

  close(): void {
    this.held.release();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The same recording over an image of its base that ends where the file system ends. */
  async shortBase(recording: Recording, folder: string): Promise<Recording> {
    const base = path.join(folder, 'base.img');
    await copyDisk(recording.base, base);
    await truncate(base, recording.fs.bytes);
    return { ...recording, base };
  }

  /** Where files lie on a disk, as a guest sees it that mounts a copy of it; none where it cannot. */
  async mapDisk(fs: FileSystem, disk: string, folder: string): Promise<MappedExtent[]> {
    const copy = path.join(folder, 'mapped');
    await copyDisk(disk, copy);
    try {
      return await this.withGuest({ disk: copy }, async ({ agent }) => {
        const { error } = await agent.call('mount', { device: dataDevice, fs: fs.name, dir: mountFolder });
        return error === null ? await mapFiles(agent) : [];
      });
    } finally {
      rmSync(copy);
    }
  }

  /** A new folder for files of one trial. */
  trialFolder(): string {
    return mkdtempSync(path.join(this.folder, 'trial-'));
  }
}

/** Where the files of the mounted data disk lie on it. */
export async function mapFiles(agent: AgentClient): Promise<MappedExtent[]> {
  return (await agent.call('map', { dir: mountFolder })).extents;
}

/** Mounts the data disk with its fresh file system. Throws UnavailableError where the guest's kernel does not do that. */
export async function mountData(agent: AgentClient, fs: FileSystem): Promise<void> {
  const { error } = await agent.call('mount', { device: dataDevice, fs: fs.name, dir: mountFolder });
  if (error === null) return;
  throw new UnavailableError(
    `the guest's kernel does not mount a fresh ${fs.name}: ${error}`,
    'leave that file system out of --fs, or name another kernel',
  );
}

/** The target as it is in a guest: with the files that it needs, which are copied there. */
export async function bringTarget(agent: AgentClient, target: Target): Promise<Target> {
  if (target.kind === 'command') return await bringPrograms(agent, target);
  if (target.input === undefined) return target;
  await agent.putFile(inputFile, 0o644, readFileSync(target.input));
  return { ...target, input: inputFile };
}

async function bringPrograms(agent: AgentClient, target: CommandTarget): Promise<Target> {
  if (target.with.length === 0) return target;
  await agent.call('makeFolder', { path: withFolder });
  const there: string[] = [];
  for (const file of target.with) {
    const place = `${withFolder}/${path.basename(file)}`;
    await agent.putFile(place, 0o755, readFileSync(file));
    there.push(place);
  }
  return { ...target, with: there };
}
