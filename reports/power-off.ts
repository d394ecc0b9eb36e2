/**
 * Power-offs of guests, side by side: what a disk showed that keeps all it is sent (as when QEMU is killed and no more), and
 * what one showed that loses what it was not told to flush.
 */
import { settingOf } from './setting.js';
import type { Row } from './summary-row.js';
import type { Summary } from './summary.js';
import { grouped } from './text.js';

export interface SideBySide {
  target: string;
  where: string;
  kept: Row | null;
  /** Trials and logs. */
  cut: Row[];
}

export function sideBySide(summary: Summary): SideBySide[] {
  const all = new Map<string, SideBySide>();
  for (const row of summary.rows) {
    const setting = settingOf(row.target);
    if (setting === null) continue;
    const { where, mode } = setting;
    const key = `${row.target.id}\u0000${where}`;
    const one = all.get(key) ?? { target: row.target.id, where, kept: null, cut: [] };
    if (mode === 'kept') one.kept = row;
    else one.cut.push(row);
    all.set(key, one);
  }
  return [...all.values()];
}

/** What killing QEMU alone would have missed, target by target. */
export function missedByKilling(summary: Summary): string[] {
  return sideBySide(summary).flatMap(({ target, where, kept, cut }) => {
    const violated = cut.reduce((sum, row) => sum + row.violations, 0);
    const crashes = cut.reduce((sum, row) => sum + row.crashes, 0);
    if (kept === null || kept.crashes === 0 || kept.violations > 0 || violated === 0) return [];
    return [
      `${target} on ${where}: killing QEMU alone held ${grouped(kept.counts.held)} times; with what was not flushed lost, ` +
        `${grouped(violated)} of ${grouped(crashes)} crashes violated.`,
    ];
  });
}

/** What a disk that keeps all is blind to; null where none was tried. */
export function keptCaveat(summary: Summary): string | null {
  if (!summary.rows.some(({ target }) => settingOf(target)?.mode === 'kept')) return null;
  return (
    'A disk that keeps all it was sent (kept) loses only what was in the memory of the guest: ' +
    'there a flush that is missing on the way to the medium is not seen.'
  );
}
