/** A virtual machine that runs. */
import type { AgentClient } from '../guest/client.js';
import type { VmError } from './error.js';
import type { Template } from './template.js';

export interface RestoreOptions {
  /** An existing folder of this machine's own, for its small files. */
  folder: string;
  /** Raw file of exactly `diskBytes` bytes: the data disk. Written through the host's page cache. */
  disk: string;
  /** Every write and flush of the data disk goes to this file too (blklogwrites, sectors of 512 bytes). */
  log?: string;
  /** Raw files for `extraDevices`, read-only; made longer to `extraBytes` (a hole) where they are shorter. */
  extraDisks?: readonly string[];
}

export declare class Vm {
  /**
   * Loads the template with disks of its own and wakes it: its clock is right, its random state its own, `bootId` fresh.
   * Rejects with a VmError.
   */
  static restore(template: Template, options: RestoreOptions): Promise<Vm>;

  readonly agent: AgentClient;
  /** QEMU's process. */
  readonly pid: number;
  /** The guest kernel's boot id, its own even among guests of one template. */
  readonly bootId: string;
  /** From spawning QEMU to the answer to the first command. */
  readonly startMillis: number;
  /** Settles when QEMU is gone: null if we ended it, else why. The agent's `closed` settles too. */
  readonly ended: Promise<VmError | null>;
  /** Lines of the marks port, in order, as they come. What came before the first listener is kept for it. */
  onMark(listener: (text: string) => void): void;
  /** The end of the serial console, bounded. */
  console(): string;
  alive(): boolean;
  /** SIGKILL to the process group; resolves when it is gone, with all marks delivered. */
  kill(): Promise<void>;
  /** Stops the guest and lets QEMU write out its log and end: for logged runs. */
  stopAndQuit(): Promise<void>;
}
