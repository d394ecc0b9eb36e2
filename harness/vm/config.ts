/** What a virtual machine consists of. */

/** `kvm` only where it really runs guests. */
export type Accelerator = 'kvm' | 'tcg';

export interface VmConfig {
  memoryMiB: number;
  cpus: number;
  accel: Accelerator;
  /** Bytes of the data disk (`dataDevice`); a file swapped in must have exactly these. */
  diskBytes: number;
  /** Bytes of each of the further disks (`extraDevices`), read-only to the guest; files swapped in may be shorter. */
  extraBytes: number;
}

export const defaultVmConfig: VmConfig = {
  memoryMiB: 512,
  cpus: 1,
  accel: 'tcg',
  diskBytes: 512 * 1024 ** 2,
  extraBytes: 1024 ** 3,
};

/** Bytes at the end of the data disk that no file system takes: marks lie there (see protocol.ts). */
export const marksBytes = 1024 ** 2;

/** Offset of the sector for marks on a data disk. */
export function marksOffset(diskBytes: number): number {
  return diskBytes - marksBytes;
}

export const dataDevice = '/dev/disk/by-id/virtio-plugpull-data';
export const extraDevices = [
  '/dev/disk/by-id/virtio-plugpull-extra0',
  '/dev/disk/by-id/virtio-plugpull-extra1',
] as const;
export const maxExtraDisks = extraDevices.length;
