import { expect } from 'chai';

/** The error that a promise must reject with, of the class that it must be of. */
export async function rejected<E extends Error>(
  promise: Promise<unknown>,
  kind: abstract new (...args: never[]) => E,
): Promise<E> {
  try {
    await promise;
  } catch (error) {
    expect(error).to.be.instanceOf(kind);
    return error as E;
  }
  throw new Error('it did not fail');
}
