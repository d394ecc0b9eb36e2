/** Tables with real headers, in a box that scrolls sideways where the page is narrow. */
import { markup, type Html } from './markup.js';

export interface Column {
  head: string;
  /** Numbers are set right, in figures of one width. */
  number?: boolean;
  /** Sentences: kept wide enough to be read. */
  wordy?: boolean;
}

/** The first cell of each row is its header. */
export function table(caption: string, columns: Column[], rows: (Html | string)[][]): Html {
  const cls = (i: number): string =>
    columns[i]?.number === true ? 'n' : columns[i]?.wordy === true ? 'w' : 't';
  return markup`<div class="scroll" role="region" tabindex="0" aria-label="${caption}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${columns.map(({ head }, i) => markup`<th scope="col" class="${cls(i)}">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (cells) =>
            markup`<tr>
              ${cells.map((cell, i) =>
                i === 0
                  ? markup`<th scope="row" class="${cls(i)}">${cell}</th>`
                  : markup`<td class="${cls(i)}">${cell}</td>`,
              )}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
