/**
 * The crash states of a trace in the order in which they are worth a visit: what no write or every write of an epoch
 * gives, each pending write alone absent and alone present, prefixes, tears, then random subsets for as long as wanted.
 */
import { random, deriveSeed, type Random } from '../core/seed.js';
import type { Epoch, Operation } from './trace-index.js';

/** A pending write that is on the medium: whole (null), or these of its units. */
export type Fate = boolean[] | null;
/** By index into `pending`; what is not in it is lost. */
export type Choices = ReadonlyMap<number, Fate>;

export interface Batch {
  epoch: Epoch;
  choices: Choices[];
}

/** More pending writes than this in an epoch are not each tried alone. */
const maxSingles = 256;
/** Up to so many, all subsets of an epoch are enumerated when asked for. */
export const maxExhaustive = 16;

/** Canonical text of choices, as plugpull-disk reads it. */
export function choicesText(choices: Choices): string {
  if (choices.size === 0) return '-';
  return [...choices]
    .sort(([a], [b]) => a - b)
    .map(([index, fate]) => (fate === null ? `${index}` : `${index}:${maskText(fate)}`))
    .join(',');
}

export function parseChoices(text: string): Choices {
  const choices = new Map<number, Fate>();
  if (text === '-') return choices;
  for (const word of text.split(',')) {
    const match = /^(\d+)(?::([0-9a-f]+))?$/.exec(word);
    if (match === null) throw new Error(`no choice: ${word}`);
    const [, index = '', mask] = match;
    choices.set(Number(index), mask === undefined ? null : parseMask(mask));
  }
  return choices;
}

function maskText(mask: boolean[]): string {
  let text = '';
  for (let at = 0; at < mask.length; at += 4) {
    let digit = 0;
    for (let bit = 0; bit < 4; bit++) if (mask[at + bit] === true) digit |= 1 << bit;
    text = digit.toString(16) + text;
  }
  return text;
}

function parseMask(text: string): boolean[] {
  return Array.from(text)
    .reverse()
    .flatMap((digit) => [0, 1, 2, 3].map((bit) => ((parseInt(digit, 16) >> bit) & 1) === 1));
}

export function unitsOf(operation: Operation, unit: number): number {
  return operation.kind === 'write' ? Math.max(1, Math.ceil(operation.length / unit)) : 1;
}

export function whole(indices: Iterable<number>): Choices {
  return new Map([...indices].map((index) => [index, null]));
}

function allBut(epoch: Epoch, missing: number): Map<number, Fate> {
  const kept = new Map<number, Fate>();
  epoch.pending.forEach((_, index) => {
    if (index !== missing) kept.set(index, null);
  });
  return kept;
}

/** Number of subsets of whole writes, over all epochs; null beyond what a number holds exactly. */
export function subsets(epochs: readonly Epoch[]): number | null {
  const sum = epochs.reduce((total, { pending }) => total + 2 ** pending.length, 0);
  return sum <= Number.MAX_SAFE_INTEGER ? sum : null;
}

/**
 * Epochs in the order in which they are worth a visit, the one that was given first first: those in which an ack was given,
 * or which follow one, before all others; and a few of all parts of the run before the rest, so that whoever visits few has
 * seen the whole run.
 */
export function byWorth(epochs: readonly Epoch[]): Epoch[] {
  const acked = epochs.filter(({ hasAck }, i) => i > 0 && (hasAck || epochs[i - 1]?.hasAck === true));
  const others = epochs.filter((epoch, i) => i > 0 && !acked.includes(epoch));
  return [...epochs.slice(0, 1), ...coarseToFine(acked), ...coarseToFine(others)];
}

/** The first, then those halfway between what was taken, and so on. Each round goes forward, as states are made. */
function coarseToFine<T>(list: readonly T[]): T[] {
  const sorted = list.slice(0, 1);
  let step = 1;
  while (step < list.length) step *= 2;
  for (; step > 1; step /= 2) sorted.push(...list.filter((_, i) => i % step === step / 2));
  return sorted;
}

export function* boundaries(epochs: readonly Epoch[]): Generator<Batch> {
  for (const epoch of epochs) {
    const none: Choices = new Map<number, Fate>();
    yield { epoch, choices: epoch.pending.length === 0 ? [none] : [none, whole(epoch.pending.keys())] };
  }
}

export function* singles(epochs: readonly Epoch[]): Generator<Batch> {
  for (const epoch of epochs) {
    const indices = [...epoch.pending.keys()].slice(0, maxSingles);
    if (indices.length < 2) continue;
    yield { epoch, choices: indices.flatMap((index) => [allBut(epoch, index), whole([index])]) };
  }
}

/** As if the device had kept the order: the first k writes. */
export function* prefixes(epochs: readonly Epoch[]): Generator<Batch> {
  for (const epoch of epochs) {
    const count = Math.min(epoch.pending.length, maxSingles);
    if (count < 3) continue;
    const lengths = Array.from({ length: count - 2 }, (_, i) => i + 2).filter(
      (k) => k < epoch.pending.length,
    );
    yield { epoch, choices: lengths.map((k) => whole(Array.from({ length: k }, (_, i) => i))) };
  }
}

/** Each write torn in the ways that differ most, with all others present and with all others absent. */
export function* tears(epochs: readonly Epoch[], unit: number): Generator<Batch> {
  for (const epoch of epochs) {
    const choices: Choices[] = [];
    for (const [index, operation] of epoch.pending.slice(0, maxSingles).entries()) {
      const units = unitsOf(operation, unit);
      if (units < 2) continue;
      for (const mask of maskSamples(units)) {
        choices.push(allBut(epoch, -1).set(index, mask), new Map([[index, mask]]));
      }
    }
    if (choices.length > 0) yield { epoch, choices };
  }
}

function maskSamples(units: number): boolean[][] {
  const mask = (keep: (i: number) => boolean): boolean[] => Array.from({ length: units }, (_, i) => keep(i));
  const half = units >> 1;
  const samples = [mask((i) => i < half), mask((i) => i >= half)];
  if (units > 2)
    samples.push(
      mask((i) => i !== 0),
      mask((i) => i !== units - 1),
      mask((i) => i === 0),
    );
  return samples;
}

/** All subsets of whole writes, of epochs that have few enough. */
export function* everything(epochs: readonly Epoch[]): Generator<Batch> {
  for (const epoch of epochs) {
    const count = epoch.pending.length;
    if (count > maxExhaustive) continue;
    for (let first = 0; first < 2 ** count; first += 64) {
      const sets = Array.from({ length: Math.min(64, 2 ** count - first) }, (_, i) => first + i);
      yield {
        epoch,
        choices: sets.map((set) => whole([...epoch.pending.keys()].filter((i) => ((set >> i) & 1) === 1))),
      };
    }
  }
}

/** One random state of every epoch in each round, without end. */
export function* randomRounds(epochs: readonly Epoch[], seed: number, unit: number): Generator<Batch> {
  const open = epochs.filter(
    ({ pending }) => pending.length > 1 || pending.some((one) => unitsOf(one, unit) > 1),
  );
  if (open.length === 0) return;
  for (let round = 0; ; round++) {
    for (const epoch of open) {
      const draw = random(deriveSeed(seed, 'states', round, epoch.number));
      yield { epoch, choices: Array.from({ length: 8 }, () => randomChoices(epoch, draw, unit)) };
    }
  }
}

function randomChoices(epoch: Epoch, draw: Random, unit: number): Choices {
  // Mostly lost, half, mostly kept: different bugs need different shares.
  const share = [15, 50, 85][draw.int(0, 2)] ?? 50;
  const choices = new Map<number, Fate>();
  for (const [index, operation] of epoch.pending.entries()) {
    if (draw.int(1, 100) > share) continue;
    const units = unitsOf(operation, unit);
    const torn = units > 1 && draw.int(1, 4) === 1;
    const mask = torn ? Array.from({ length: units }, () => draw.int(0, 1) === 1) : null;
    if (mask === null || mask.every((kept) => kept)) choices.set(index, null);
    else if (mask.some((kept) => kept)) choices.set(index, mask);
  }
  return choices;
}
