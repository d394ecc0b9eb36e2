/** A source of crash states whose recovery looks at one write after the other, each time depending on what it saw. */
import { parseChoices } from '../../harness/disk/enumerate.js';
import type { ReadSet, StateSource } from '../../harness/disk/state-source.js';
import type { Epoch } from '../../harness/disk/trace-index.js';
import type { SubjectCheck } from '../../harness/subjects/subject.js';

/** Asks whether a write is on the medium; gives the commit that it recovered, or null if the data are broken. */
export type Recovery = (kept: (index: number) => boolean) => number | null;

export function epochOf(writes: number, number = 0): Epoch {
  return {
    number,
    ackedFirst: 0,
    ackedLast: 0,
    pending: Array.from({ length: writes }, (_, id) => ({
      id,
      kind: 'write',
      offset: id * 4096,
      length: 4096,
      acked: 0,
      step: null,
    })),
    step: null,
    hasAck: false,
  };
}

export interface AdaptiveSource extends StateSource {
  /** States that were shown. */
  shown: () => number;
}

/**
 * @param hole a write of which it is not told that recovery looked at it
 * @param most read-sets remembered
 */
export function adaptiveSource(
  writes: number,
  recovery: Recovery,
  { hole = -1, most = Infinity, blind = false } = {},
): AdaptiveSource {
  const known: { name: string; blocks: number[]; epoch: number }[] = [];
  let shown = 0;
  let last: ReadSet | null = null;
  const contents = (choices: string): boolean[] => {
    const kept = parseChoices(choices);
    return Array.from({ length: writes }, (_, i) => kept.has(i));
  };
  const nameOf = (epoch: number, blocks: number[], content: boolean[]): string =>
    `${epoch}/${blocks.map((i) => `${i}${content[i] === true ? '+' : '-'}`).join('')}`;
  return {
    shown: () => shown,
    digests: (epoch, choices) => Promise.resolve(choices.map((text) => `${epoch}/${contents(text).join()}`)),
    check: async ({ epoch, choices }): Promise<SubjectCheck[]> => {
      shown++;
      const content = contents(choices);
      const looked = new Set<number>();
      const state = recovery((index) => {
        looked.add(index);
        return content[index] === true;
      });
      const blocks = [...looked].filter((index) => index !== hole).sort((a, b) => a - b);
      last = blind ? null : { name: nameOf(epoch, blocks, content), blocks: `${epoch} ${blocks.join(',')}` };
      await Promise.resolve();
      return [
        {
          outcome: state === null ? 'inconsistent' : 'consistent',
          state,
          reason: '',
          log: '',
          end: { exit: 0, signal: null, stopped: null },
          millis: 0,
        },
      ];
    },
    reads: {
      get last() {
        return last;
      },
      look: (epoch, choices) =>
        Promise.resolve(
          choices.map((text) => ({
            digest: `${epoch}/${contents(text).join()}`,
            agrees: known
              .filter((set) => set.epoch === epoch && nameOf(epoch, set.blocks, contents(text)) === set.name)
              .map(({ name }) => name),
          })),
        ),
      learn: ({ name, blocks }) => {
        if (known.some((set) => set.name === name)) return Promise.resolve();
        const [epoch = '', list = ''] = blocks.split(' ');
        const numbers = list === '' ? [] : list.split(',').map(Number);
        known.push({ name, blocks: numbers, epoch: Number(epoch) });
        if (known.length > most) known.shift();
        return Promise.resolve();
      },
      open: (_epoch, name, choices) => {
        const kept = parseChoices(choices);
        const set = known.find((one) => one.name === name);
        return Promise.resolve(set === undefined ? null : set.blocks.filter((index) => !kept.has(index)));
      },
    },
    save: () => Promise.resolve(),
    refresh: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
