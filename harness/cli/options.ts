/** Values of flags: parsed once, refused by name. */
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../config/schema.js';
import type { Shard } from '../campaign/context.js';

export function list(value: string, before: string[] = []): string[] {
  const items = value.split(',').map((item) => item.trim());
  if (items.some((item) => item === ''))
    throw new InvalidArgumentError('a comma-separated list of names is needed.');
  return [...before, ...items];
}

export function repeated(value: string, before: string[] = []): string[] {
  return [...before, value];
}

export function positiveInteger(value: string): number {
  if (!/^[1-9]\d{0,14}$/.test(value)) throw new InvalidArgumentError('a whole number above 0 is needed.');
  return Number(value);
}

export function jobs(value: string): number {
  const number = positiveInteger(value);
  if (number > 256) throw new InvalidArgumentError('at most 256 are possible.');
  return number;
}

export function seed(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 0x7fffffff) {
    throw new InvalidArgumentError(`a whole number from 0 to 2147483647 is needed.`);
  }
  return number;
}

export function duration(value: string): number {
  const millis = parseDuration(value);
  if (!(millis > 0)) throw new InvalidArgumentError('a duration such as 90s, 5m or 2h is needed.');
  return millis;
}

export function probability(value: string): number {
  const number = Number(value);
  if (!(number > 0 && number < 1)) throw new InvalidArgumentError('a probability between 0 and 1 is needed.');
  return number;
}

export function shard(value: string): Shard {
  const match = /^(\d+)\/(\d+)$/.exec(value);
  const index = Number(match?.[1]);
  const of = Number(match?.[2]);
  if (match === null || index < 1 || index > of || of > 10_000) {
    throw new InvalidArgumentError('i/n with 1 ≤ i ≤ n is needed, such as 2/4.');
  }
  return { index, of };
}

/** 0 to 8. */
export function smallNumber(value: string): number {
  if (!/^[0-8]$/.test(value)) throw new InvalidArgumentError('a whole number from 0 to 8 is needed.');
  return Number(value);
}

/** Bytes of `512M`, `2G` or a plain number. */
export function bytes(value: string): number {
  const match = /^([1-9]\d{0,9})([KMG]?)$/.exec(value);
  if (match === null) throw new InvalidArgumentError('a size such as 512M or 2G is needed.');
  return Number(match[1]) * { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[match[2] as '' | 'K' | 'M' | 'G'];
}
