/**
 * As root, the campaign runs in a mount namespace of its own: what it mounts is invisible outside, and
 * disappears with its last process, however that ends.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { exitCodes } from '../core/exit-codes.js';
import { canUnshareMounts, privateMountsVariable } from '../rigs/reflink.js';

/** Can this process get mounts of its own, and has not got them yet? */
export function canEnterPrivateMounts(): boolean {
  if (process.getuid?.() !== 0 || process.env[privateMountsVariable] !== undefined) return false;
  return canUnshareMounts();
}

/** Runs this same command line again inside the namespace and gives its exit status. */
export async function againInPrivateMounts(): Promise<number> {
  const args = [
    '--mount',
    '--propagation',
    'private',
    process.execPath,
    ...process.execArgv,
    ...process.argv.slice(1),
  ];
  // The channel tells the child when this process dies, even by SIGKILL.
  const child = spawn('unshare', args, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [privateMountsVariable]: '1' },
  });
  // A terminal sends Ctrl-C to both, others to this process alone: the child takes two at once for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve(code ?? (signal === null ? exitCodes.ownFailure : 128 + constants.signals[signal]));
    });
  });
}

/** In the namespace: ends this process when the one that started it is gone. */
export function dieWithStarter(stop: () => void): void {
  if (process.channel === undefined) return;
  process.on('disconnect', stop);
  process.channel.unref();
}
