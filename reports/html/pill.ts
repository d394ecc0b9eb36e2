/** The verdict of a row as a word in a coloured field. */
import type { Status } from '../words.js';
import { markup, type Html } from './markup.js';

const statusWords: Record<Status, string> = {
  held: 'held',
  violation: 'violated',
  caught: 'caught',
  missed: 'not caught',
  unmeasured: 'not measured',
};

/** What is wrong on purpose and held in one place has neither passed nor failed. */
export const heldHere = markup`<span class="pill neutral">held</span>`;

export function pill(status: Status): Html {
  return markup`<span class="pill ${status}">${statusWords[status]}</span>`;
}
