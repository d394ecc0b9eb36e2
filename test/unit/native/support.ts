import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { HeapOptions, NativeError } from '../../../native/index.js';

/** A folder for one test, in memory where the machine has that. */
export function temporaryFolder(): { dir: string; remove: () => void } {
  const dir = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : '/tmp', 'plugpull-native-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export function heapOptions(dir: string, more: Partial<HeapOptions> = {}): HeapOptions {
  return {
    backend: 'redo',
    path: path.join(dir, 'heap.db'),
    layout: 'test/1',
    size: 16 * 4096,
    maxSize: 8 << 20,
    identity: 5n,
    ...more,
  };
}

/** What a call throws; undefined where it does not. */
export function errorOf(call: () => unknown): NativeError | undefined {
  try {
    call();
  } catch (error) {
    return error as NativeError;
  }
  return undefined;
}
