import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';

/**
 * `start`: QEMU itself did not start (or refused its arguments); `boot`: the guest did not get to its agent in time;
 * `panic`: its kernel panicked; `gone`: it powered itself off; `hung`: no answer in time; `restore`: the template could not
 * be loaded; `host`: this machine's own trouble: QEMU was killed or failed, a disk's file could not be read or written, or
 * there was hardly a processor to run on.
 */
export type VmErrorKind = 'start' | 'boot' | 'panic' | 'gone' | 'hung' | 'restore' | 'host';

const shownLines = 6;
const shownChars = 600;

/** What went wrong with a virtual machine. The message has the last lines of its console where these may say why. */
export class VmError extends PlugpullError {
  override name = 'VmError';
  constructor(
    readonly kind: VmErrorKind,
    /** The message without its console. */
    readonly what: string,
    /** The end of its serial console, bounded. */
    readonly console = '',
    /** The end of QEMU's own stderr, bounded. */
    readonly stderr = '',
  ) {
    super(`${what}${kind === 'start' || kind === 'host' ? '' : lastLines(console)}`, exitCodes.ownFailure);
  }

  /** The guest itself died or hung; the others are failures of our own, or of the machine that we run on. */
  get guestDied(): boolean {
    return this.kind === 'panic' || this.kind === 'gone' || this.kind === 'hung';
  }
}

function lastLines(console: string): string {
  const lines = console
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0) return '';
  return `; the end of its console: ${lines.slice(-shownLines).join(' | ').slice(-shownChars)}`;
}
