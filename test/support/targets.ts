import { backendTargetId, type BackendTarget } from '../../harness/core/target.js';

/** A target that holds everywhere. */
export const redoBank: BackendTarget = {
  kind: 'backend',
  id: backendTargetId('redo', 'bank'),
  backend: 'redo',
  workload: 'bank',
  expect: 'hold',
  needsReflink: false,
  steps: [],
};
