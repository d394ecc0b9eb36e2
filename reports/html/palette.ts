/** How each outcome looks: always a colour and a word, never a colour alone. */
import type { Shown } from '../over-trials.js';
import { markup, type Html } from './markup.js';

export const shownNames: Record<Shown, string> = {
  held: 'held',
  caught: 'caught on purpose',
  violation: 'violation',
  'not-measured': 'not measured',
  'harness-broken': 'harness broken',
};

/** For the `color` scale of a chart. */
export function shownScale(used: Shown[]): { domain: string[]; range: string[] } {
  return { domain: used.map((shown) => shownNames[shown]), range: used.map((shown) => `var(--${shown})`) };
}

export function legend(entries: [colour: string, name: string][]): Html {
  return markup`<p class="legend">
    ${entries.map(([colour, name]) => markup`<span><i class="swatch" style="background:${colour}"></i>${name}</span>`)}
  </p>`;
}

export function shownLegend(used: Shown[]): Html {
  return legend(used.map((shown) => [`var(--${shown})`, shownNames[shown]]));
}
