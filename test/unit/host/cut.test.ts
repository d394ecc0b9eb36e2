import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandTarget } from '../../../harness/core/target.js';
import { workAndCut, type Cut } from '../../../harness/host/cut.js';
import { HostError } from '../../../harness/host/error.js';
import type { PowerResult } from '../../../harness/host/power.js';
import { fakeSession, type FakeSession } from '../../support/fake-machine.js';

const program = { kind: 'command', id: 'program' } as CommandTarget;

describe('work up to a power cut', () => {
  const cut = (fake: FakeSession, powerOff: () => Promise<PowerResult>, afterCommit = 0): Promise<Cut> =>
    workAndCut(fake.session, {
      target: program,
      dir: '/mnt/test/plugpull/data',
      seed: 1,
      plan: { mode: 'time', phase: 'run', afterCommit, delayMicros: 1 },
      commits: 10,
      unflushed: { file: '/mnt/test/plugpull/unflushed', content: '1\n' },
      powerOff,
    });
  const off = (fake: FakeSession) => (): Promise<PowerResult> => {
    fake.lose(new HostError('lost', 'the connection was lost'));
    return Promise.resolve({ ok: true, text: 'the power-off command ended well', millis: 1 });
  };

  it('cuts no power before the work has begun, though commit 0 is there', async () => {
    const fake = fakeSession({}, 'a');
    let wasCut = false;
    const done = cut(fake, () => {
      wasCut = true;
      return off(fake)();
    });
    // As its set-up would tell.
    fake.mark('ack 0');
    await sleep(100);
    expect(wasCut).to.equal(false);
    fake.mark('begin');
    expect(await done).to.deep.include({ power: 'off', trouble: null, acked: 0 });
    expect(wasCut).to.equal(true);
  });

  it('waits for the commit after which the moment is drawn', async () => {
    const fake = fakeSession({}, 'a');
    const done = cut(fake, off(fake), 2);
    for (const text of ['begin', 'ack 1', 'ack 2']) fake.mark(text);
    expect(await done).to.deep.include({ power: 'off', acked: 2 });
  });

  it('does not touch the power where the work ends before', async () => {
    const fake = fakeSession({ run: () => ({ end: 'exited', exit: 1, acked: 0, log: '' }) }, 'a');
    const outcome = await cut(fake, off(fake));
    expect(outcome.power).to.equal('on');
    expect(outcome.trouble).to.include('before the power was cut, the program ended early');
  });

  it('is in doubt where the power-off command fails', async () => {
    const fake = fakeSession({}, 'a');
    const failed = { ok: false, text: 'the power-off command failed (exit 1)', millis: 1 };
    const done = cut(fake, () => Promise.resolve(failed));
    fake.mark('begin');
    expect(await done).to.deep.include({ power: 'doubtful', trouble: failed.text });
  });
});
