/** Boots an image once and keeps the state: what is restored from it need not boot. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { storageError } from '../core/errors.js';
import { makeFolder } from '../core/make-folder.js';
import { cacheRoot, syncFile, workFolder } from '../images/cache.js';
import { checksumsOf, damageOf, type Checksums } from '../images/checksums.js';
import { usersOf } from '../images/holding.js';
import type { VmImage } from '../images/image.js';
import { takeLock } from '../images/lock.js';
import { payloadImage } from '../images/payload.js';
import { acceleratorFor, qemuFor } from '../images/qemu.js';
import { needSpace } from '../images/space.js';
import { machineArguments, type Kernel, type MachineSpec } from './arguments.js';
import { defaultVmConfig, maxExtraDisks, type VmConfig } from './config.js';
import type { QemuProcess, QemuProgram } from './process.js';
import { emptyFile, manifestFile, memoryFile, stateFile, type Template } from './template-files.js';
import { Vm } from './vm.js';

export type { Template } from './template-files.js';

/** Changes when what is kept changes and nothing else tells. */
const format = 3;
/** Templates that are kept, besides those used within the last day. */
const keptTemplates = 3;
const dayMillis = 24 * 3600 * 1000;
const saveMillis = 120_000;
/** The guest comes to rest before it is kept. */
const restMillis = 300;
const writtenMillis = 20;
const mib = 1024 ** 2;

/** What a guest's kernel is told: to end at once where it panics, and to panic where it cannot be trusted any more. */
export const kernelWords = 'console=ttyS0 panic=-1 oops=panic loglevel=5';

const kept = [memoryFile, stateFile, emptyFile];

interface Manifest {
  format: number;
  key: string;
  bootMillis: number;
  files: Checksums;
}

/**
 * Boots the image once and keeps its state, or finds what was kept. Locked against others that make the same; those that
 * were not used for long are removed. Rejects with a VmError where the guest does not boot.
 */
export async function ensureTemplate(
  image: VmImage,
  config: Partial<VmConfig>,
  progress: (text: string) => void,
): Promise<Template> {
  const accel = config.accel ?? (await acceleratorFor(image));
  const whole = { ...defaultVmConfig, accel, ...config };
  const qemu = await qemuFor(image);
  const payload = await payloadImage();
  const key = keyOf(image, payload.id, qemu, whole);
  const common = { key, folder: path.join(base(), key), config: whole, qemu, image, payload: payload.file };
  const find = async (): Promise<Template | null> => {
    const manifest = await readManifest(common.folder, key);
    return manifest === null ? null : { ...common, bootMillis: manifest.bootMillis };
  };
  const found = await find();
  if (found !== null) return found;
  const lock = await takeLock(`template-${key}`, () =>
    progress('waiting for another run that boots a guest'),
  );
  try {
    const made = await find();
    if (made !== null) return made;
    removeOld();
    progress(`booting a guest with kernel ${image.release} once`);
    const template = await make(common, progress);
    progress(`a guest booted in ${(template.bootMillis / 1000).toFixed(1)} s; the next ones are restored`);
    return template;
  } finally {
    await lock.release();
  }
}

/** How a machine of this image is started from nothing. */
export function bootSpec(image: VmImage, payload: string, config: VmConfig, data: string): MachineSpec {
  const boot: Kernel = { kernel: image.kernel, initrd: image.initrd, append: kernelWords };
  const extra = Array.from({ length: maxExtraDisks }, () => null);
  return { config, disks: { root: image.root, payload, data, extra }, boot, memory: null };
}

function base(): string {
  const folder = path.join(cacheRoot(), 'templates');
  try {
    makeFolder(folder);
  } catch (error) {
    throw storageError(error, folder);
  }
  return folder;
}

function keyOf(image: VmImage, payload: string, qemu: QemuProgram, config: VmConfig): string {
  const spec = bootSpec({ ...image, kernel: '', initrd: '', root: '' }, '', config, '');
  const parts = [format, image.id, image.manifest.files, payload, qemu.version, machineArguments(spec)];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** Null: there is no such template, or none that is whole. Notes that it was used. */
async function readManifest(folder: string, key: string): Promise<Manifest | null> {
  try {
    const file = path.join(folder, manifestFile);
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
    if (manifest.format !== format || manifest.key !== key) return null;
    if (kept.some((name) => manifest.files[name] === undefined)) return null;
    if ((await damageOf(folder, manifest.files)) !== null) return null;
    utimesSync(file, new Date(), new Date());
    return manifest;
  } catch {
    return null;
  }
}

/** Those that a run uses now stay, however long it takes. */
function removeOld(): void {
  const folder = base();
  const used = (name: string) => {
    const status = statSync(path.join(folder, name, manifestFile), { throwIfNoEntry: false });
    return status?.mtimeMs ?? 0;
  };
  readdirSync(folder)
    .map((name) => ({ name, at: used(name) }))
    .sort((a, b) => b.at - a.at)
    .filter(({ at }, i) => i >= keptTemplates && Date.now() - at > dayMillis)
    .filter(({ name }) => usersOf(path.join(folder, name)).length === 0)
    .forEach(({ name }) => rmSync(path.join(folder, name), { recursive: true, force: true }));
}

async function make(
  common: Omit<Template, 'bootMillis'>,
  progress: (text: string) => void,
): Promise<Template> {
  const { image, payload, config, qemu, key } = common;
  const folder = await workFolder();
  try {
    needSpace([{ folder, bytes: (config.memoryMiB + 64) * mib }], 'a guest that is kept');
    const data = path.join(folder, 'data');
    const memory = path.join(folder, memoryFile);
    for (const [file, bytes] of [
      [data, config.diskBytes],
      [memory, config.memoryMiB * mib],
    ] as const) {
      const handle = await open(file, 'w');
      await handle.truncate(bytes);
      await handle.close();
    }
    const spec = { ...bootSpec(image, payload, config, data), memory: { file: memory, shared: true } };
    const vm = await Vm.boot(qemu, spec);
    const { startMillis } = vm;
    try {
      await vm.agent.call('warm', {}, { timeoutMillis: saveMillis });
      await setTimeout(restMillis);
      progress('keeping its state');
      await createEmpty(vm.process, path.join(folder, emptyFile), config.extraBytes);
      await save(vm.process, path.join(folder, stateFile));
    } catch (error) {
      throw await vm.explain(error);
    } finally {
      await vm.kill();
    }
    await tryOut({ ...common, folder, bootMillis: startMillis }, data);
    rmSync(data);
    const files = await checksumsOf(folder, kept);
    const manifest: Manifest = { format, key, bootMillis: startMillis, files };
    writeFileSync(path.join(folder, manifestFile), JSON.stringify(manifest));
    for (const name of [...kept, manifestFile, '.']) await syncFile(path.join(folder, name));
    // One that is there is not whole, else it would have been found.
    rmSync(common.folder, { recursive: true, force: true });
    mkdirSync(path.dirname(common.folder), { recursive: true });
    await rename(folder, common.folder);
    return { ...common, bootMillis: startMillis };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** What cannot be restored is not kept: nobody would make it again, and every guest of every run would fail. */
async function tryOut(template: Template, disk: string): Promise<void> {
  const vm = await Vm.restore(template, { disk });
  await vm.kill();
}

/** An empty qcow2 image, made by QEMU itself. */
async function createEmpty(process: QemuProcess, file: string, bytes: number): Promise<void> {
  const run = async (id: string, options: Record<string, unknown>) => {
    const done = process.qmp.waitFor(
      'JOB_STATUS_CHANGE',
      ({ data }) => data.id === id && data.status === 'concluded',
    );
    done.catch(() => undefined);
    await process.tell('host', 'blockdev-create', { 'job-id': id, options });
    await done;
    const jobs = (await process.tell('host', 'query-jobs')) as { id: string; error?: string }[];
    const error = jobs.find((job) => job.id === id)?.error;
    if (error !== undefined) throw process.error('host', `${file}: ${error}`);
    await process.tell('host', 'job-dismiss', { id });
  };
  await run('file', { driver: 'file', filename: file, size: 0 });
  await process.tell('host', 'blockdev-add', { driver: 'file', filename: file, 'node-name': 'empty' });
  await run('image', { driver: 'qcow2', file: 'empty', size: bytes });
  await process.tell('host', 'blockdev-del', { 'node-name': 'empty' });
}

async function save(process: QemuProcess, file: string): Promise<void> {
  const capabilities = ['x-ignore-shared', 'events'].map((capability) => ({ capability, state: true }));
  await process.tell('host', 'stop');
  await process.tell('host', 'migrate-set-capabilities', { capabilities });
  const saved = process.qmp.waitFor(
    'MIGRATION',
    ({ data }) => data.status === 'completed' || data.status === 'failed',
    { timeoutMillis: saveMillis },
  );
  saved.catch(() => undefined);
  const quoted = (name: string): string => `'${name.replaceAll("'", "'\\''")}'`;
  const [whole, part] = [quoted(file), quoted(`${file}.part`)];
  await process.tell('host', 'migrate', { uri: `exec:cat > ${part} && mv ${part} ${whole}` });
  const { data } = await saved;
  if (data.status !== 'completed') throw process.error('host', 'QEMU could not keep the state of the guest');
  // For QEMU it is complete when the last of it is in the pipe.
  for (const until = performance.now() + saveMillis; !existsSync(file);) {
    if (performance.now() > until)
      throw process.error('host', `the state of the guest was not written to ${file}`);
    await setTimeout(writtenMillis);
  }
}
