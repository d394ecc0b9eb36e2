/** Names of rows that stand beside each other: what all of them have in common is said once. */
import type { Row } from './summary-row.js';
import { placeText } from './words.js';

export interface RowNames {
  names: string[];
  /** What the names leave out; empty where they are whole. */
  common: string;
}

/** @returns names in the order of the rows: target, way to crash and file system, as far as these differ */
export function rowNames(rows: readonly Row[]): RowNames {
  const targets = rows.map(({ target }) => target);
  const differ = (part: (target: Row['target']) => string): boolean => new Set(targets.map(part)).size > 1;
  const crash = (target: Row['target']): string => `${target.fault} on ${target.rig}`;
  const crashes = differ(crash);
  const systems = differ(({ fs }) => fs ?? '');
  const ids = differ(({ id }) => id) || !(crashes || systems);
  const first = targets[0];
  const left = first === undefined || ids ? [] : [first.id];
  if (first !== undefined && !crashes) left.push(systems ? crash(first) : placeText(first));
  return {
    names: targets.map((target) => {
      const place = crashes ? placeText(target) : systems ? (target.fs ?? crash(target)) : null;
      return [...(ids ? [target.id] : []), ...(place === null ? [] : [place])].join(' · ');
    }),
    common: left.join(', '),
  };
}
