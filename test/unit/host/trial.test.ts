import { expect } from 'chai';
import type { Target } from '../../../harness/core/target.js';
import { AgentError } from '../../../harness/guest/client.js';
import { HostError } from '../../../harness/host/error.js';
import type { Machine, Session } from '../../../harness/host/machine.js';
import { Place } from '../../../harness/host/place.js';
import { runHostTrial, type HostOutcome } from '../../../harness/host/trial.js';
import { fakeSession } from '../../support/fake-machine.js';

const program = {
  kind: 'command',
  id: 'program',
  setup: 'true',
  run: 'true',
  check: 'true',
  with: [],
  ignore: [],
  expect: 'hold',
  recoverTwice: 'state',
  promise: 'durable',
  limits: { timeMs: 1000, memoryBytes: 1024 ** 3 },
} as Target;
const lost = new HostError('lost', 'the connection to root@pi was lost');
const set = { end: 'exited', exit: 0, acked: 0, log: '' };

interface Story {
  off?: { ok: boolean; text: string };
  /** What comes back after the cut; a HostError: nothing does. */
  back: Session | HostError;
  setup?: () => unknown;
}

/** A trial on a machine whose power is cut at once. */
async function trial({ off = { ok: true, text: 'off' }, back, setup = () => set }: Story) {
  const did: string[] = [];
  const first = fakeSession(
    {
      setup,
      run: () => {
        queueMicrotask(() => first.mark('begin'));
        return new Promise(() => undefined);
      },
    },
    'boot 1',
  );
  const machine = {
    name: 'root@pi',
    options: { remoteTools: '/tools' },
    up: () => Promise.resolve(first.session),
    leave: () => did.push('leave'),
    comeBack: () => {
      did.push('come back');
      return back instanceof HostError ? Promise.reject(back) : Promise.resolve(back);
    },
    power: {
      off: () => {
        did.push('off');
        if (off.ok) first.lose(lost);
        return Promise.resolve({ ...off, millis: 1 });
      },
      takeLog: () => '',
    },
  } as unknown as Machine;
  const outcome: HostOutcome = await runHostTrial(machine, new Place('/mnt/test/plugpull'), {
    target: program,
    seed: 1,
    plan: { mode: 'time', phase: 'run', afterCommit: 0, delayMicros: 1 },
    commits: 10,
  });
  return { ...outcome, did };
}

const check = (state: number) => ({ outcome: 'consistent', state, reason: '', log: '', millis: 1 });

describe('a trial on a machine', () => {
  it('holds where the newest commit is there after the cut', async () => {
    const back = fakeSession({ keep: () => null, check: () => check(0) }, 'boot 2').session;
    const { judgement, did } = await trial({ back });
    expect(judgement).to.deep.include({ verdict: 'held', recovered: 0 });
    expect(did).to.deep.equal(['off', 'come back']);
  });

  it('gives power back after a doubtful cut too', async () => {
    const off = { ok: false, text: 'the power-off command failed (exit 1)' };
    for (const boot of ['boot 1', 'boot 2']) {
      const { judgement, failure, did } = await trial({ off, back: fakeSession({}, boot).session });
      expect(judgement).to.deep.include({ verdict: 'not-measured', reason: off.text });
      expect(failure).to.equal(null);
      expect(did).to.deep.equal(['off', 'come back']);
    }
    const gone = await trial({ off, back: new HostError('unreachable', 'it did not come back') });
    expect(gone.judgement.reason).to.equal(off.text);
    expect(gone.failure?.message).to.equal('it did not come back');
  });

  it('measures nothing where the machine goes away before or during recovery', async () => {
    const gone = (): never => {
      throw lost;
    };
    const atOnce = fakeSession({}, 'boot 2', gone).session;
    const inCheck = fakeSession(
      {
        keep: () => null,
        check: () => {
          throw new AgentError('closed', 'the agent cannot be reached any more');
        },
      },
      'boot 2',
    ).session;
    const hangs = fakeSession(
      {
        keep: () => {
          throw new AgentError('timeout', 'the agent gave no answer to keep');
        },
      },
      'boot 2',
    ).session;
    for (const back of [atOnce, inCheck, hangs]) {
      const { judgement, did } = await trial({ back });
      expect(judgement.verdict, judgement.reason).to.equal('not-measured');
      expect(judgement.reason).to.include('during recovery, ');
      expect(did.at(-1)).to.equal('leave');
    }
  });

  it('keeps a violation that was seen before the machine went away', async () => {
    let checks = 0;
    const back = fakeSession(
      {
        keep: () => null,
        check: () => {
          if (++checks > 1) throw lost;
          return { ...check(0), outcome: 'inconsistent', state: null, reason: 'two halves' };
        },
      },
      'boot 2',
    ).session;
    const { judgement } = await trial({ back });
    expect(judgement).to.deep.include({ verdict: 'broken', reason: 'two halves' });
  });

  it('blames a full disk on the machine, and a request of ours that fails on us', async () => {
    const refusing = (code: string) => (): never => {
      throw new AgentError('refused', `setup: ${code}`, { message: code, code });
    };
    const back = fakeSession({}, 'boot 2').session;
    const full = await trial({ back, setup: refusing('ENOSPC') });
    expect(full.judgement.verdict).to.equal('not-measured');
    expect(full.judgement.reason).to.equal('before the power was cut, setup: ENOSPC');
    expect((await trial({ back, setup: refusing('EPARAMS') })).judgement.verdict).to.equal('harness-broken');
    expect(full.did).to.deep.equal(['leave']);
  });
});
