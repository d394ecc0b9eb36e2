import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';

/**
 * `start`: QEMU itself did not start (or refused its arguments); `boot`: the guest did not get to its agent in time;
 * `panic`: its kernel panicked; `gone`: QEMU ended though nobody asked; `hung`: no answer in time; `restore`: the
 * template could not be loaded.
 */
export type VmErrorKind = 'start' | 'boot' | 'panic' | 'gone' | 'hung' | 'restore';

/** What went wrong with a virtual machine, with the end of what it said. */
export class VmError extends PlugpullError {
  override name = 'VmError';
  constructor(
    readonly kind: VmErrorKind,
    message: string,
    /** The end of its serial console, bounded. */
    readonly console: string,
    /** The end of QEMU's own stderr, bounded. */
    readonly stderr = '',
  ) {
    super(message, exitCodes.ownFailure);
  }
}
