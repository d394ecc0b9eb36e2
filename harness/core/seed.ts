/**
 * Deterministic randomness: everything in a campaign follows from one 32-bit seed, and the
 * seed of a trial from the campaign's seed and the trial's index alone, so that trials do
 * not depend on their order or on the shard they run in.
 */
import { createHash, randomBytes } from 'node:crypto';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** A 31-bit seed from a seed and any number of parts (the first four bytes of SHA-256). */
export function deriveSeed(seed: number, ...parts: (string | number)[]): number {
  const digest = createHash('sha256')
    .update([seed, ...parts].join('\u0000'))
    .digest();
  return digest.readUInt32LE(0) >>> 1;
}

export function trialSeed(campaignSeed: number, trialIndex: number): number {
  return deriveSeed(campaignSeed, 'trial', trialIndex);
}

/** A seed for a campaign for which the user named none. */
export function freshSeed(): number {
  return randomBytes(4).readUInt32LE(0) >>> 1;
}

export interface Random {
  /** Uniform integer in [low, high], both included. */
  int(low: number, high: number): number;
}

export function random(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  return { int: (low, high) => uniformInt(generator, low, high) };
}
