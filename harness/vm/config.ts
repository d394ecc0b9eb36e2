/** What a virtual machine consists of. */

/** `kvm` only where it really runs guests. */
export type Accelerator = 'kvm' | 'tcg';

export interface VmConfig {
  memoryMiB: number;
  cpus: number;
  accel: Accelerator;
  /** Size of the data disk, the guest's /dev/disk/by-id/virtio-data (`dataDevice`); a file swapped in must have it. */
  diskBytes: number;
  /** Size of each of the two further disks, read-only to the guest (`extraDevices`); files swapped in are made as long. */
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

// The order on the PCI bus is the order of the letters; the first two hold the root file system and the payload.
export const dataDevice = '/dev/vdc';
export const extraDevices = ['/dev/vdd', '/dev/vde'] as const;
export const maxExtraDisks = extraDevices.length;
