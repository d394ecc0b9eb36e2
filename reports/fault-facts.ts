/** What each fault can and cannot show. Every report says it of the faults that it used. */
import type { FaultName } from '../harness/core/events.js';

export interface FaultFacts {
  lost: string;
  finds: string;
  /** What stays invisible; null where nothing does. */
  blind: string;
}

export const faultFacts: Record<FaultName, FaultFacts> = {
  kill: {
    lost: 'the process; what it wrote survives in the page cache',
    finds: 'commits that are not atomic, and recovery that goes wrong',
    blind: 'a missing or misplaced flush: a store that never flushes passes',
  },
  cut: {
    lost: 'any of the writes that storage had not been told to flush, whole or torn',
    finds: 'missing and misordered flushes, weak checksums, recovery that is not idempotent',
    blind: 'what real devices do against their promises',
  },
  poweroff: {
    lost: "the guest's page cache and the volatile cache of its disk",
    finds: 'what the whole system loses, kernel and file system included',
    blind: 'what real devices do against their promises',
  },
  'power-command': {
    lost: 'whatever the real machine loses',
    finds: 'faults of firmware and hardware too',
    blind: 'crashes that fall in places which random power cuts seldom meet',
  },
};

/** How a fault is called in a sentence. */
export const faultWords: Record<FaultName, string> = {
  kill: 'killed processes (SIGKILL)',
  cut: 'simulated power cuts',
  poweroff: 'power-offs of a virtual machine',
  'power-command': 'real power cuts',
};
