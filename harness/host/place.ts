/** The folder of ours on a machine. It is marked as ours, and only what we make in it is ever removed. */
import path from 'node:path';
import { type HostConnection, quote } from './connection.js';
import { HostError } from './error.js';
import { shell } from './facts.js';

const clearMillis = 5 * 60_000;

/** Where it lies in the folder that the user names. */
export function placeIn(remoteDir: string): string {
  return path.posix.join(remoteDir, 'plugpull');
}

export class Place {
  /** The target's files. */
  readonly data: string;
  /** A copy of them as the cut left them. */
  readonly afterCrash: string;
  /** Another, after one recovery. */
  readonly recoveredOnce: string;
  /** A file that nobody flushes. */
  readonly unflushed: string;
  private readonly mark: string;
  /** Found out once: a disk that then loses the mark in a cut must not end the run. */
  private ours = false;

  constructor(readonly root: string) {
    const at = (name: string): string => path.posix.join(root, name);
    this.data = at('data');
    this.afterCrash = at('after-crash');
    this.recoveredOnce = at('recovered-once');
    this.unflushed = at('unflushed');
    this.mark = at('.plugpull-place');
  }

  /** Makes an empty folder for the target that a power cut does not take away. */
  async clear(connection: HostConnection): Promise<void> {
    if (!this.ours) await this.refuseForeign(connection);
    const root = quote(this.root);
    const steps = [
      // Marked before there is anything to lose.
      `mkdir -p ${root} && : >${quote(this.mark)} && sync`,
      `${this.emptying} && mkdir ${quote(this.data)} && sync`,
    ];
    await connection.must(shell(steps.join(' && ')), `cannot empty ${this.root}`, {
      timeoutMillis: clearMillis,
    });
    this.ours = true;
  }

  /** Removes it with all that is in it, if it is ours. */
  async remove(connection: HostConnection): Promise<void> {
    const mark = quote(this.mark);
    const script = `[ -f ${mark} ] && ${this.emptying} && rm ${mark} && rmdir ${quote(this.root)}`;
    await connection.exec(shell(script), { timeoutMillis: clearMillis });
  }

  private async refuseForeign(connection: HostConnection): Promise<void> {
    const root = quote(this.root);
    // An empty one may be from a run that was cut off before it could mark it.
    const script = `[ ! -e ${root} ] || [ -f ${quote(this.mark)} ] || rmdir ${root} 2>/dev/null || echo foreign`;
    if ((await connection.must(shell(script), `cannot look at ${this.root}`)) === '') return;
    throw new HostError(
      'unfit',
      `${connection.name}: ${this.root} is there already, and no run of plugpull has made it`,
      'each trial empties that folder: move it away, or name another by --remote-dir',
    );
  }

  private get emptying(): string {
    const all = [this.data, this.afterCrash, this.recoveredOnce, this.unflushed];
    return `rm -rf ${all.map(quote).join(' ')}`;
  }
}
