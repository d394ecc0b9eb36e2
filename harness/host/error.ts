import { UnavailableError } from '../core/errors.js';

/**
 * `unreachable`: nobody answers there (yet); `login`: it does not let us in; `key`: it may not be the machine that it
 * should be; `lost`: the connection broke; `refused`: a command there failed; `unfit`: it lacks what is needed.
 */
export type HostErrorKind = 'unreachable' | 'login' | 'key' | 'lost' | 'refused' | 'unfit';

/** What is wrong with a machine, or with the way to it. */
export class HostError extends UnavailableError {
  override name = 'HostError';
  constructor(
    readonly kind: HostErrorKind,
    message: string,
    remedy?: string,
  ) {
    super(message, remedy);
  }
}
