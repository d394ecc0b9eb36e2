/** Numbers in words: `3`, `0–7 and 12`. */
const mostRanges = 4;

/** @param numbers ascending */
export function listOf(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  const texts = ranges
    .slice(0, mostRanges)
    .map(([first, last]) => (first === last ? String(first) : `${first}–${last}`));
  if (ranges.length > mostRanges) texts.push('more');
  const last = texts.pop() ?? '';
  return texts.length === 0 ? last : `${texts.join(', ')} and ${last}`;
}
