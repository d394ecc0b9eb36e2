import { native } from '../../native/index.js';

/** Can files in this folder be cloned? */
export function reflinkAvailable(folder: string): boolean {
  return native.reflinkAvailable(folder);
}
