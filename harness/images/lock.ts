/** A lock between processes that its holder cannot leave behind: the kernel drops it when the holder's child ends. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { PlugpullError, UnavailableError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { cacheFolder } from './cache.js';

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes a lock of the cache, waiting for whoever holds it; `waiting` is called once if it has to. The lock is held by
 * flock(1), which ends with its stdin: with this process, however that ends.
 * @param name a file name
 */
export async function takeLock(name: string, waiting: () => void, signal?: AbortSignal): Promise<Lock> {
  const file = path.join(cacheFolder('locks'), name);
  const say = 'echo locked; read -r _ || true';
  const script = `flock --exclusive --nonblock "$0" sh -c '${say}' || {
    [ $? = 1 ] || exit 1
    echo waiting
    exec flock --exclusive "$0" sh -c '${say}'
  }`;
  const child = spawn('sh', ['-c', script, file], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  child.stdin.on('error', () => undefined);
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-1000)));
  const gone = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const release = async () => {
    child.stdin.end();
    await gone;
  };
  const stop = () => {
    child.kill('SIGKILL');
    child.stdin.destroy();
  };
  signal?.addEventListener('abort', stop);
  try {
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (text.includes('waiting')) waiting();
        if (text.includes('locked')) resolve();
      });
      child.on('close', () => {
        if (stderr.includes('flock: not found')) {
          reject(new UnavailableError('flock is not installed', 'apt-get install util-linux'));
        } else reject(new PlugpullError(`cannot lock ${file}: ${stderr.trim()}`, exitCodes.ownFailure));
      });
    });
  } catch (error) {
    stop();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  return { release };
}
