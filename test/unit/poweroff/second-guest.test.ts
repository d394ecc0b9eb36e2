import { expect } from 'chai';
import { parseFileSystem } from '../../../harness/disk/file-systems.js';
import { AgentError } from '../../../harness/guest/client.js';
import type { Guests } from '../../../harness/poweroff/guests.js';
import { recoverInGuest, type Recovered } from '../../../harness/poweroff/second-guest.js';
import type { SubjectCheck } from '../../../harness/subjects/subject.js';
import { VmError, type VmErrorKind } from '../../../harness/vm/error.js';
import { rejected } from '../../support/rejected.js';
import { redoBank } from '../../support/targets.js';

interface FakeGuest {
  /** What the agent answers, by method; null where there is no such answer. */
  answers?: Record<string, unknown>;
  /** What stands behind an answer that never comes. */
  end?: VmErrorKind;
  /** This machine kept the guest waiting. */
  busy?: boolean;
}

const consistent: SubjectCheck = {
  outcome: 'consistent',
  state: 3,
  reason: '',
  log: '',
  end: { exit: 0, signal: null, stopped: null },
  millis: 1,
};
const tooLate: SubjectCheck = {
  ...consistent,
  outcome: 'failed',
  state: null,
  reason: 'recovery did not end',
  end: { exit: null, signal: 9, stopped: 'time' },
};

/** Guests of which each does what it is told to, and their number that was killed. */
function guestsThat({ answers = {}, end = 'hung', busy = false }: FakeGuest): {
  guests: Guests;
  killed: () => number;
} {
  let killed = 0;
  const all: Record<string, unknown> = {
    mount: { error: null },
    check: consistent,
    keep: null,
    compare: { difference: null },
    kernelLog: { text: 'kernel said' },
    repair: { log: 'repair said' },
    ...answers,
  };
  const vm = {
    pid: 1,
    bootId: 'b',
    agent: {
      call: (method: string) =>
        all[method] === undefined
          ? Promise.reject(new AgentError('timeout', `no answer to ${method}`))
          : Promise.resolve(all[method]),
    },
    explain: (error: unknown) =>
      Promise.resolve(error instanceof AgentError ? new VmError(end, `it is ${end}`, 'last words') : error),
    watchHost: () => () => Promise.resolve(busy ? new VmError('host', 'this machine is too busy') : null),
    kill: () => {
      killed++;
      return Promise.resolve();
    },
    console: () => 'console said',
  };
  const guests = { restore: () => Promise.resolve(vm) } as unknown as Guests;
  return { guests, killed: () => killed };
}

function recovered(guests: Guests): Promise<Recovered> {
  const fs = parseFileSystem('ext4');
  return recoverInGuest(guests, { target: redoBank, seed: 1, fs, disk: '/d', acked: 3 });
}

describe('the guest after the cut', () => {
  it('recovers twice, and tells how the files differ', async () => {
    const { guests, killed } = guestsThat({ answers: { compare: { difference: 'a differs' } } });
    const seen = await recovered(guests);
    expect(seen).to.deep.include({ died: false, difference: 'a differs', console: 'console said' });
    expect(seen.checks).to.deep.equal([consistent, consistent]);
    expect(killed()).to.equal(1);
  });

  for (const [end, words] of [
    ['panic', 'died during recovery: it is panic'],
    ['hung', 'hung during recovery: it is hung'],
  ] as const) {
    it(`is the reason of a failed check where it ends as ${end}`, async () => {
      const { guests, killed } = guestsThat({ answers: { check: undefined }, end });
      const seen = await recovered(guests);
      expect(seen.died).to.equal(true);
      expect(seen.checks.at(-1)).to.deep.include({ outcome: 'failed', reason: `the guest ${words}` });
      expect(killed()).to.equal(1);
    });
  }

  for (const end of ['host', 'gone'] as const) {
    it(`says nothing of the target where it ends as ${end}`, async () => {
      const { guests, killed } = guestsThat({ answers: { check: undefined }, end });
      expect((await rejected(recovered(guests), VmError)).kind).to.equal(end);
      expect(killed()).to.equal(1);
    });
  }

  it('says nothing of the target where this machine kept it waiting', async () => {
    const hangs = guestsThat({ answers: { check: undefined }, busy: true });
    expect((await rejected(recovered(hangs.guests), VmError)).kind).to.equal('host');
    const late = guestsThat({ answers: { check: tooLate }, busy: true });
    expect((await rejected(recovered(late.guests), VmError)).kind).to.equal('host');
  });

  it('is tried once more where the check took too long', async () => {
    const seen = await recovered(guestsThat({ answers: { check: tooLate } }).guests);
    expect(seen).to.deep.include({ died: true, kernelLog: 'kernel said' });
    expect(seen.checks).to.deep.equal([tooLate]);
  });

  it('lets its own tools repair what it cannot mount', async () => {
    const seen = await recovered(guestsThat({ answers: { mount: { error: 'errno 117' } } }).guests);
    expect(seen.checks.at(-1)?.reason).to.equal('the file system could not be mounted: errno 117');
    expect(seen).to.deep.include({ died: false, repair: 'repair said', kernelLog: 'kernel said' });
  });
});
