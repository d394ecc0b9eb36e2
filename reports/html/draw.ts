/** Charts as SVG text, drawn without a browser. Colours are CSS variables, so they follow the page's theme. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { markup, Html } from './markup.js';

export { Plot };
export type PlotOptions = Plot.PlotOptions;

/** What is used of the DOM. */
interface Node {
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  prepend(...nodes: Node[]): void;
  querySelectorAll(selector: string): Iterable<Node>;
  remove(): void;
  textContent: string;
  outerHTML: string;
}
interface Dom {
  document: { createElementNS(namespace: string, name: string): Node };
}

const svgNamespace = 'http://www.w3.org/2000/svg';

/** Widths in pixels. Each chart is drawn twice: for screens and paper, alone or as one of a pair, and for telephones. */
export const widths = { wide: 900, half: 520, narrow: 340 } as const;
export type Width = (typeof widths)[keyof typeof widths];

export interface Chart {
  /** Unique in the page. */
  id: string;
  title: string;
  /** The chart in words, for who cannot see it. */
  description: string;
  /** Said below the chart. */
  caption?: string;
  draw: (width: Width) => PlotOptions;
  /** Does it stand beside another one? */
  half?: boolean;
  legend?: Html;
  /** The numbers, as a table. */
  data?: Html;
}

export function figure(chart: Chart): Html {
  const { id, title, caption, data, legend, half = false } = chart;
  return markup`<figure class="chart" id="${id}">
    <h3>${title}</h3>
    <div class="wide">${svg(chart, half ? widths.half : widths.wide)}</div>
    <div class="narrow">${svg(chart, widths.narrow)}</div>
    ${legend ?? null} ${caption === undefined ? null : markup`<figcaption>${caption}</figcaption>`}
    ${
      data === undefined
        ? null
        : markup`<details class="data">
            <summary>The numbers</summary>
            ${data}
          </details>`
    }
  </figure>`;
}

function svg({ id, title, description, draw }: Chart, width: Width): Html {
  const { document } = parseHTML('<!doctype html><html><body></body></html>') as unknown as Dom;
  const drawn = Plot.plot({
    style: { fontFamily: 'inherit', fontSize: '12px', background: 'none', overflow: 'visible' },
    ...draw(width),
    width,
    document: document as never,
  }) as unknown as Node;
  for (const style of [...drawn.querySelectorAll('style')]) style.remove();
  const name = document.createElementNS(svgNamespace, 'title');
  const about = document.createElementNS(svgNamespace, 'desc');
  name.textContent = title;
  about.textContent = description;
  name.setAttribute('id', `${id}-${width}-title`);
  about.setAttribute('id', `${id}-${width}-desc`);
  drawn.prepend(name, about);
  drawn.setAttribute('role', 'img');
  drawn.setAttribute('aria-labelledby', `${id}-${width}-title ${id}-${width}-desc`);
  drawn.setAttribute('class', 'plot');
  return new Html(drawn.outerHTML);
}
