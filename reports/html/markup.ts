/** HTML by template: whatever is put in is escaped, unless it is HTML already. */
import { wellFormed } from '../text.js';

export class Html {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

type Part = Html | string | number | null | undefined | Part[];

export function markup(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.reduce((text, next, i) => text + render(parts[i - 1]) + next));
}

export const nothing = new Html('');

function render(part: Part): string {
  if (part === null || part === undefined) return '';
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(render).join('');
  return escapeHtml(String(part));
}

// eslint-disable-next-line no-control-regex -- what HTML cannot hold, and what reorders text
const unshowable = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/g;

/** For text and for attributes in either quotes. Control characters become visible. */
export function escapeHtml(text: string): string {
  return wellFormed(text)
    .replace(unshowable, visible)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

function visible(character: string): string {
  const code = character.charCodeAt(0);
  return code < 32 ? String.fromCharCode(0x2400 + code) : '\uFFFD';
}
