import { expect } from 'chai';
import { FaultLog } from '../../../harness/campaign/disk-told.js';

describe('what is told of a disk that fails', () => {
  const full = { full: { afterCommit: 1, where: 'file-system', leaveBytes: 0 } } as const;

  it('is that a full file system happened only where the program met it', () => {
    const log = new FaultLog('full');
    log.add(full, { refused: 0, error: null });
    expect(log.happened).to.equal(false);
    expect(log.text('a')).to.include('the disk failed in 0 of 1 runs');
    log.add(full, { refused: 0, error: 'No space left on device' });
    expect(log.happened).to.equal(true);
    expect(log.text('a')).to.include('the disk failed in 1 of 2 runs');
  });
});
