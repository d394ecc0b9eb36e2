/** Reads what a request holds: the other side may be of another version, or not ours at all. */

/** Nonsense was asked for. */
export class ParamsError extends Error {
  override name = 'ParamsError';
  readonly code = 'EPARAMS';
}

export type Params = Record<string, unknown>;

function wrong(name: string, wanted: string): never {
  throw new ParamsError(`${name}: ${wanted} is needed`);
}

export function object(value: unknown, name = 'params'): Params {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Params)
    : wrong(name, 'an object');
}

export function text(params: Params, name: string): string {
  const value = params[name];
  return typeof value === 'string' && !value.includes('\0') ? value : wrong(name, 'a text');
}

/** A path of ours: absolute, and without what the line protocols of our own programs cannot carry. */
export function path(params: Params, name: string): string {
  const value = text(params, name);
  return value.startsWith('/') && !/[\s]/.test(value)
    ? value
    : wrong(name, 'an absolute path without spaces');
}

/** A whole number that is not negative. */
export function whole(params: Params, name: string): number {
  const value = params[name];
  return Number.isSafeInteger(value) && (value as number) >= 0
    ? (value as number)
    : wrong(name, 'a whole number');
}

export function texts(params: Params, name: string): string[] {
  const value = params[name];
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
    ? value
    : wrong(name, 'a list of texts');
}
