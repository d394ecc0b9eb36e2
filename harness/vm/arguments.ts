/** The arguments of QEMU, all in one place: a template can only be loaded by a machine that has the same devices. */
import { controlPort, marksPort } from '../guest/protocol.js';
import type { VmConfig } from './config.js';

/** Descriptors that QEMU inherits: each is our end of a socket pair. */
export const descriptors = { qmp: 3, control: 4, marks: 5, console: 6, state: 7 } as const;

export interface Disks {
  /** Read-only: the root file system and the payload. Null: none (tests of QEMU itself). */
  root: string | null;
  payload: string | null;
  data: string | null;
  /** The data disk's block log. */
  log?: string;
  /** One for each of `extraDevices`; null: an empty one. */
  extra: readonly (ExtraDisk | null)[];
}

export interface ExtraDisk {
  file: string;
  /** An empty qcow2 image as long as the disk, laid over the file, which may be shorter. */
  empty: string;
}

export interface Kernel {
  kernel: string;
  initrd: string;
  append: string;
}

export interface MachineSpec {
  config: VmConfig;
  disks: Disks;
  /** Boot this; without it the machine waits for a template. */
  boot: Kernel | null;
  /** The guest's memory. `shared`: what the guest writes goes to the file (a template in the making). */
  memory: { file: string; shared: boolean } | null;
  /** Forward this port of 127.0.0.1 to the guest's port 22; there is no network otherwise. */
  sshPort?: number;
}

/** Bound of the cache of translated code: without it a machine grows to a GiB. */
const translationMiB = 96;

const quote = (text: string) => text.replaceAll(',', ',,');

export function machineArguments(spec: MachineSpec): string[] {
  const { config, disks, boot, memory } = spec;
  const backend =
    memory === null
      ? `memory-backend-ram,id=ram,size=${config.memoryMiB}M`
      : `memory-backend-file,id=ram,size=${config.memoryMiB}M,mem-path=${quote(memory.file)},share=${memory.shared ? 'on' : 'off'}`;
  return [
    ...['-name', 'plugpull', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-object', backend],
    ...['-M', 'q35,memory-backend=ram,usb=off,sata=off,smbus=off,vmport=off,graphics=off'],
    ...(config.accel === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host']
      : ['-accel', `tcg,thread=multi,tb-size=${translationMiB}`, '-cpu', 'max']),
    ...['-smp', String(config.cpus), '-m', `${config.memoryMiB}M`],
    ...['-chardev', `socket,id=qmp,fd=${descriptors.qmp}`, '-mon', 'chardev=qmp,mode=control'],
    ...['-chardev', `socket,id=console,fd=${descriptors.console}`, '-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-pci,max_ports=4'],
    ...port('control', descriptors.control, controlPort),
    ...port('marks', descriptors.marks, marksPort),
    ...readOnlyDisk('root', disks.root),
    ...readOnlyDisk('payload', disks.payload),
    ...dataDisk(disks),
    ...disks.extra.flatMap((extra, i) => extraDisk(`extra${i}`, extra, config.extraBytes)),
    ...network(spec.sshPort),
    ...(boot === null
      ? ['-incoming', 'defer']
      : ['-kernel', boot.kernel, '-initrd', boot.initrd, '-append', boot.append]),
  ];
}

function port(id: string, fd: number, name: string): string[] {
  return [
    ...['-chardev', `socket,id=${id},fd=${fd}`],
    ...['-device', `virtserialport,chardev=${id},name=${name}`],
  ];
}

/** A disk that several machines may have at once. */
function readOnlyDisk(id: string, file: string | null): string[] {
  if (file === null) return [];
  return ['-blockdev', `${rawFile(file)},node-name=${id}`, ...disk(id)];
}

function rawFile(file: string): string {
  return `driver=raw,read-only=on,file.driver=file,file.filename=${quote(file)},file.locking=off`;
}

function extraDisk(id: string, extra: ExtraDisk | null, bytes: number): string[] {
  if (extra === null) {
    const zeros = `driver=null-co,node-name=${id},read-only=on,read-zeroes=on,size=${bytes}`;
    return ['-blockdev', zeros, ...disk(id)];
  }
  const over = `driver=qcow2,node-name=${id},read-only=on,backing=${id}-file`;
  const empty = `file.driver=file,file.filename=${quote(extra.empty)},file.locking=off`;
  return [
    ...['-blockdev', `${rawFile(extra.file)},node-name=${id}-file`],
    ...['-blockdev', `${over},${empty}`],
    ...disk(id),
  ];
}

/**
 * The data disk writes to the page cache of the host: to the guest it is a disk with a volatile cache whose content we
 * know. `no-flush`, because nothing here has to survive a power cut of the host.
 */
function dataDisk({ data, log }: Disks): string[] {
  if (data === null) return [];
  const file = (name: string) => `driver=file,filename=${quote(name)},locking=off,cache.no-flush=on`;
  const whole = (id: string) => `driver=raw,node-name=${id},file=${id}-file,cache.no-flush=on`;
  if (log === undefined) {
    return ['-blockdev', `${file(data)},node-name=data-file`, '-blockdev', whole('data'), ...disk('data')];
  }
  return [
    ...['-blockdev', `${file(data)},node-name=medium-file`, '-blockdev', whole('medium')],
    ...['-blockdev', `${file(log)},node-name=log`],
    // Not `no-flush`: QEMU would not even log the guest's flushes then.
    ...['-blockdev', 'driver=blklogwrites,node-name=data,file=medium,log=log,log-sector-size=512'],
    ...disk('data'),
  ];
}

function disk(id: string): string[] {
  // Says that it has a write cache, whatever the file behind it: else the guest sends no flushes. Where this machine fails to
  // read or write the file, the guest is stopped and we are told: it must not take that for an error of its own disk.
  const errors = 'rerror=stop,werror=stop';
  return ['-device', `virtio-blk-pci,drive=${id},serial=plugpull-${id},write-cache=on,${errors}`];
}

function network(sshPort: number | undefined): string[] {
  if (sshPort === undefined) return ['-nic', 'none'];
  return [
    ...['-netdev', `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${sshPort}-:22`],
    ...['-device', 'virtio-net-pci,netdev=net'],
  ];
}
