import type { BackendTarget } from '../harness/core/target.js';

/** What the rigs are measured with. */
export const redoBank: BackendTarget = {
  kind: 'backend',
  id: 'redo/bank',
  backend: 'redo',
  workload: 'bank',
  expect: 'hold',
  needsReflink: false,
  steps: [],
};
