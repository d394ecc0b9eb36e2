/** Names from a list that says what there is. */
import { UsageError } from '../core/errors.js';

/** All of them where none is wanted. */
export function pick<T extends string>(kind: string, wanted: readonly string[], all: readonly T[]): T[] {
  if (wanted.length === 0) return [...all];
  return wanted.map((name) => {
    const found = all.find((one) => one === name);
    if (found === undefined)
      throw new UsageError(`there is no ${kind} "${name}"`, `there are: ${all.join(', ')}`);
    return found;
  });
}
