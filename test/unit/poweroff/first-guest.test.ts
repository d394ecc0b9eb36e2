import { expect } from 'chai';
import { MarksSeen, whyNoSetUp } from '../../../harness/poweroff/first-guest.js';
import type { SubjectRun } from '../../../harness/subjects/subject.js';

/** Has the promise settled by now? */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<boolean>((r) => setImmediate(() => r(false)))]);
}

describe('marks of a guest', () => {
  it('say what was acked, which step was passed, and that it is over', async () => {
    const seen = new MarksSeen();
    expect(seen).to.deep.include({ acked: -1, step: null, begun: false, done: false });
    for (const text of ['begin', 's 1 redo.create.named', 'ack 0', 's 2 redo.commit.log written', 'ack 1']) {
      seen.take(text);
    }
    expect(seen).to.deep.include({ acked: 1, step: 'redo.commit.log written', begun: true, done: false });
    seen.take('done 1');
    expect(seen.done).to.equal(true);
    await seen.began;
  });

  it('tell of a commit once it is reached, also afterwards', async () => {
    const seen = new MarksSeen();
    const second = seen.reached(2);
    seen.take('ack 1');
    expect(await settled(second)).to.equal(false);
    seen.take('ack 3');
    expect(await settled(second)).to.equal(true);
    expect(await settled(seen.reached(3))).to.equal(true);
  });

  it('tell where the workload stands still', async () => {
    const seen = new MarksSeen();
    expect(await settled(seen.halted)).to.equal(false);
    seen.take('halt 7 redo.commit.log-synced');
    expect(await settled(seen.halted)).to.equal(true);
    expect(seen.step).to.equal('redo.commit.log-synced');
  });

  it('pass over what they do not know', () => {
    const seen = new MarksSeen();
    seen.take('');
    seen.take('hello 3');
    expect(seen).to.deep.include({ acked: -1, begun: false });
  });
});

describe('a set-up in a guest', () => {
  const ran: SubjectRun = { acked: 0, begun: false, end: 'exited', exit: 0, log: '', millis: 1 };

  it('is the trouble of the target where it failed', () => {
    expect(whyNoSetUp(null)).to.equal(null);
    expect(whyNoSetUp(ran)).to.equal(null);
    expect(whyNoSetUp({ ...ran, exit: 3 })).to.deep.equal({
      kind: 'target',
      detail: 'the set-up failed: exit status 3',
    });
    expect(whyNoSetUp({ ...ran, end: 'crashed', detail: 'SIGSEGV' })?.detail).to.match(/SIGSEGV/);
  });
});
