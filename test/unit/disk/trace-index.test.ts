import { expect } from 'chai';
import { IndexReader } from '../../../harness/disk/trace-index.js';
import { ackedRange, judgeState } from '../../../harness/disk/verdict.js';
import type { SubjectCheck } from '../../../harness/subjects/subject.js';

function read(...lines: string[]): IndexReader['index'] {
  const reader = new IndexReader();
  for (const line of lines) reader.line(line);
  return reader.index;
}

const sample = [
  'trace 1048576 0',
  'e 0',
  'w 1 0 4096',
  'a 1',
  'f 2',
  'a 2',
  'p 1 1',
  'e 1',
  'm begin',
  'w 3 4096 4096',
  'm s 1 redo.create.heap-written',
  'p 1 3',
  'e 2',
  'm ack 0',
  'w 4 8192 8192',
  'm ack 1',
  'd 5 16384 4096',
  'p 2 4 5',
];

describe('index of a trace', () => {
  const index = read(...sample);

  it('leaves out the epochs in which the file system was made', () => {
    expect(index.epochs.map(({ number }) => number)).to.deep.equal([1, 2]);
    expect(index.imageBytes).to.equal(1_048_576);
    expect(index.operations).to.equal(4);
  });

  it('knows what was acked at each moment, and after which step', () => {
    const [first, second] = index.epochs;
    expect(first).to.include({
      ackedFirst: -1,
      ackedLast: -1,
      hasAck: false,
      step: 'redo.create.heap-written',
    });
    expect(second).to.include({ ackedFirst: -1, ackedLast: 1, hasAck: true });
    expect(second!.pending.map(({ id, kind, acked }) => ({ id, kind, acked }))).to.deep.equal([
      { id: 4, kind: 'write', acked: 0 },
      { id: 5, kind: 'discard', acked: 1 },
    ]);
  });

  it('lets the cut lie anywhere between the last kept write and the end of the epoch', () => {
    const second = index.epochs[1]!;
    expect(ackedRange(second, new Map())).to.deep.equal({ first: -1, last: 1 });
    expect(ackedRange(second, new Map([[0, null]]))).to.deep.equal({ first: 0, last: 1 });
    expect(ackedRange(second, new Map([[1, null]]))).to.deep.equal({ first: 1, last: 1 });
  });
});

describe('verdict of a crash state', () => {
  const found = (state: number | null, outcome: SubjectCheck['outcome'] = 'consistent'): SubjectCheck => ({
    outcome,
    state,
    reason: 'why',
    log: '',
    end: { exit: 0, signal: null, stopped: null },
    millis: 1,
  });

  it('judges what is lost by the last moment and what is too new by the first', () => {
    expect(judgeState({ first: 1, last: 2 }, [found(2)]).verdict).to.equal('held');
    expect(judgeState({ first: 1, last: 2 }, [found(1)]).verdict).to.equal('lost');
    expect(judgeState({ first: 1, last: 2 }, [found(3)]).verdict).to.equal('phantom');
    expect(judgeState({ first: 2, last: 2 }, [found(3)]).verdict).to.equal('held');
  });

  it('lets a target lose commits that promises only consistency, but none that had not begun', () => {
    expect(judgeState({ first: 1, last: 2 }, [found(0)], 'consistent')).to.include({
      verdict: 'held',
      allowedLoss: 2,
    });
    expect(judgeState({ first: 1, last: 2 }, [found(3)], 'consistent').verdict).to.equal('phantom');
  });

  it('takes a target that was never made for what it is only before commit 0', () => {
    expect(judgeState({ first: -1, last: -1 }, [found(null, 'absent')]).verdict).to.equal('held');
    expect(judgeState({ first: -1, last: 0 }, [found(null, 'absent')]).verdict).to.equal('lost');
  });

  it('sees a second recovery that gives something else', () => {
    expect(judgeState({ first: 1, last: 1 }, [found(1), found(2)]).verdict).to.equal('broken');
    expect(judgeState({ first: 1, last: 1 }, [found(1), found(null, 'failed')]).verdict).to.equal(
      'unrecoverable',
    );
  });
});
