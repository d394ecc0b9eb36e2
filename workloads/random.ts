/**
 * Randomness that can be entered anywhere: what commit `k` does follows from (seed, k) alone, so a
 * workload that was killed goes on with the same commits, and a model can start at any checkpoint.
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Spreads a 32-bit number over 32 bits (Chris Wellons' lowbias32, a bijection). */
export function spread(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** Mixes numbers into one of 32 bits; the order of the arguments matters. */
export function mix(a: number, b: number, c = 0): number {
  return spread(spread(spread(a) + b) + c);
}

/** A generator for one purpose (`stream`) within commit `k`. */
export class Random {
  readonly #generator;

  constructor(seed: number, k: number, stream = 0) {
    this.#generator = xoroshiro128plus(mix(seed, k, stream));
  }

  /** Uniform in [0, n), for 1 ≤ n ≤ 2^32. */
  below(n: number): number {
    return uniformInt(this.#generator, 0, n - 1);
  }

  /** Uniform in [low, high], both included. */
  between(low: number, high: number): number {
    return uniformInt(this.#generator, low, high);
  }

  /** About `n`: uniform in [n/2, 3n/2], at least 1. */
  about(n: number): number {
    return Math.max(1, uniformInt(this.#generator, Math.floor(n / 2), n + Math.floor(n / 2)));
  }
}

/** Longer values repeat. No page is a multiple of it, so pages of a value that changed places differ too. */
const period = 65 * 4;

/**
 * Fills `count` bytes at `offset` with what `seed` says. Two seeds differ in every whole word, so a
 * value that was mixed from an old and a new one is seen. Whole words are written: up to 3 bytes
 * behind `count` are cleared.
 */
export function fill(view: DataView, offset: number, count: number, seed: number): void {
  const padded = (count + 3) & ~3;
  let x = seed | 0;
  for (let i = 0; i < Math.min(padded, period); i += 4) {
    x = (x + 0x9e3779b9) | 0;
    view.setUint32(offset + i, Math.imul(x ^ (x >>> 15), 0x2c1b3c6d), true);
  }
  if (padded > period) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, padded);
    for (let done = period; done < padded; done *= 2)
      bytes.copyWithin(done, 0, Math.min(done, padded - done));
  }
  for (let i = count; i < padded; i++) view.setUint8(offset + i, 0);
}
