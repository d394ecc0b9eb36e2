/** Files that may differ between two recoveries of a target. */
import picomatch from 'picomatch';
import type { Target } from '../core/target.js';

/** Null: none may. */
export function ignoredBy(target: Target): ((file: string) => boolean) | null {
  return target.kind === 'command' && target.ignore.length > 0 ? picomatch(target.ignore) : null;
}
