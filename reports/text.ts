/** Text for people: numbers, durations, and strings that were written by whatever was tortured. */

/** `1234567` as `1,234,567`. */
export function grouped(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `3 trials`, `1 trial`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${grouped(value)} ${value === 1 ? one : many}`;
}

/** A probability or share: `0.73 %`. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0 || value >= 99.95) return `${Math.round(value)} %`;
  return `${value >= 10 ? value.toFixed(0) : value.toPrecision(2).replace(/e-(\d+)$/, ' × 10⁻$1')} %`;
}

/** Milliseconds as `840 µs`, `3.2 ms`, `1.4 s`, `2 min 5 s`, `3 h 4 min`. */
export function duration(millis: number): string {
  if (millis < 1) return `${Math.round(millis * 1000)} µs`;
  if (millis < 1000) return `${millis < 10 ? trim(millis.toFixed(1)) : Math.round(millis)} ms`;
  const seconds = millis / 1000;
  if (seconds < 60) return `${trim(seconds.toFixed(1))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function trim(number: string): string {
  return number.replace(/\.0+$/, '');
}

/** Cuts a text that is too long to show, between words where it has any, and says so. */
export function clip(text: string, length: number): string {
  if (text.length <= length) return text;
  const space = text.lastIndexOf(' ', length);
  // Not in the middle of a surrogate pair.
  const pair = /[\uD800-\uDBFF]/.test(text.charAt(length - 1));
  const end = space > length / 2 ? space : pair ? length - 1 : length;
  return `${text.slice(0, end)}… (${grouped(text.length - end)} more characters)`;
}

/* eslint-disable no-control-regex -- control characters are what these look for */
const ansiSequence =
  /\u001B(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)?|[PX^_][^\u001B]*(?:\u001B\\)?|.?)/g;
const space = /[\t\n\v\f\r\u0085\u2028\u2029]+/g;
const unprintable = /[\u0000-\u001F\u007F-\u009F\u200B\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/g;
/* eslint-enable no-control-regex */

/**
 * One printable line: no escape sequences, no control characters, nothing that reorders text. What a
 * tortured program prints reaches terminals and CI logs only through this.
 */
export function oneLine(text: string): string {
  return wellFormed(text).replace(ansiSequence, '').replace(space, ' ').replace(unprintable, '').trim();
}

/** The same for text of several lines, where lines may stay. */
export function lines(text: string): string {
  return text
    .replace(ansiSequence, '')
    .split(/\r\n|[\n\v\f\r\u0085\u2028\u2029]/)
    .map(oneLine)
    .join('\n')
    .trim();
}

/** Half of a surrogate pair cannot be written in UTF-8: replaced. */
export function wellFormed(text: string): string {
  return text.replace(/[\uD800-\uDFFF]/gu, '\uFFFD');
}

/** Breaks a printable line at spaces; words longer than the width stay whole (commands can be copied). */
export function wrap(line: string, width: number): string[] {
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(' ')) {
    if (current !== '' && current.length + 1 + word.length > width) {
      lines.push(current);
      current = word;
    } else {
      current = current === '' ? word : `${current} ${word}`;
    }
  }
  lines.push(current);
  return lines;
}
