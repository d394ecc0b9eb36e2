/** Colour on a terminal: only where it is one, and where nobody has asked for none. */
import type { Out } from './io.js';

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;
export type Colour = keyof typeof codes;
export type Paint = (colour: Colour, text: string) => string;

export function painter(out: Out, env: Record<string, string | undefined>): Paint {
  if (!coloured(out, env)) return (_, text) => text;
  return (colour, text) => `\u001b[${codes[colour][0]}m${text}\u001b[${codes[colour][1]}m`;
}

/** NO_COLOR wins (no-color.org); FORCE_COLOR is for CI systems that show colours without being terminals. */
function coloured(out: Out, env: Record<string, string | undefined>): boolean {
  if ((env.NO_COLOR ?? '') !== '') return false;
  if ((env.FORCE_COLOR ?? '') !== '') return env.FORCE_COLOR !== '0';
  return out.isTTY === true && env.TERM !== 'dumb';
}
