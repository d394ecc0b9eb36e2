import { expect } from 'chai';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseFileSystem } from '../../../harness/disk/file-systems.js';
import { AgentError } from '../../../harness/guest/client.js';
import { GuestSource } from '../../../harness/poweroff/guest-source.js';
import type { Guests } from '../../../harness/poweroff/guests.js';
import type { SubjectCheck } from '../../../harness/subjects/subject.js';
import { VmError, type VmErrorKind } from '../../../harness/vm/error.js';
import { temporaryFolder } from '../../support/cli.js';
import { rejected } from '../../support/rejected.js';
import { redoBank } from '../../support/targets.js';

const consistent: SubjectCheck = {
  outcome: 'consistent',
  state: 3,
  reason: '',
  log: '',
  end: { exit: 0, signal: null, stopped: null },
  millis: 1,
};

/** What the agent of one guest answers when it is asked to try a state: checks, or how the guest ends instead. */
type Script = SubjectCheck[] | VmErrorKind;

describe('states that guests show', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => ({ folder, remove } = temporaryFolder()));
  afterEach(() => remove());

  /** @param scripts of the guests in the order in which they are restored @param seen what the agent says of reads, or fails with */
  function made(scripts: Script[], seen: unknown = { watched: false, last: null, written: null }) {
    const alive = new Set<number>();
    const notes: string[] = [];
    let restored = 0;
    const restore = () => {
      const number = restored++;
      const script = scripts[number] ?? [consistent];
      alive.add(number);
      const call = (method: string): Promise<unknown> => {
        if (method === 'seen') {
          return seen instanceof Error ? Promise.reject(seen) : Promise.resolve(seen);
        }
        if (method !== 'try') return Promise.resolve(null);
        return typeof script === 'string'
          ? Promise.reject(new AgentError('closed', 'it is gone'))
          : Promise.resolve(script);
      };
      return Promise.resolve({
        agent: { call },
        explain: (error: unknown) =>
          Promise.resolve(
            typeof script === 'string' ? new VmError(script, `it is ${script}`, 'last words') : error,
          ),
        watchHost: () => () => Promise.resolve(null),
        console: () => 'console',
        alive: () => alive.has(number),
        kill: () => Promise.resolve(alive.delete(number)),
      });
    };
    const guests = { restore, emptyDisk: () => Promise.resolve() } as unknown as Guests;
    const trace = path.join(folder, 'trace');
    writeFileSync(trace, 'x'.repeat(700));
    mkdirSync(path.join(folder, 'slot'), { recursive: true });
    const opened = GuestSource.open({
      guests,
      target: redoBank,
      seed: 1,
      recording: {
        fs: parseFileSystem('ext4'),
        base: 'base',
        trace,
        maps: [],
        acked: 3,
        log: '',
        trouble: null,
        millis: 1,
      },
      unit: 4096,
      folder: path.join(folder, 'slot'),
      note: (text) => notes.push(text),
    });
    return { opened, alive, notes, restored: () => restored };
  }
  const state = { epoch: 1, choices: '-' };

  it('are recovered in one guest after the other', async () => {
    const { opened, alive, restored } = made([[consistent]]);
    const source = await opened;
    for (let i = 0; i < 3; i++) expect(await source.check(state, 3)).to.deep.equal([consistent]);
    expect(restored()).to.equal(1);
    await source.close();
    expect(alive.size).to.equal(0);
  });

  it('are unrecoverable where two guests in a row die of one', async () => {
    const { opened, restored, notes } = made(['panic', 'panic']);
    const source = await opened;
    const [check] = await source.check(state, 3);
    expect(check).to.deep.include({
      outcome: 'failed',
      reason: 'the guest died during recovery: it is panic',
    });
    expect(restored()).to.equal(2);
    expect(notes).to.deep.equal([]);
    expect(await source.check(state, 3)).to.deep.equal([consistent]);
    await source.close();
  });

  it('are judged by the second guest where only the first one died', async () => {
    const { opened, notes } = made(['hung', [consistent]]);
    const source = await opened;
    expect(await source.check(state, 3)).to.deep.equal([consistent]);
    expect(notes).to.have.length(1);
    expect(notes[0]).to.match(/the guest hung during recovery: .*; it did not do so again/);
    await source.close();
  });

  it('are judged by nobody where this machine fails the guest', async () => {
    const { opened, alive } = made(['host']);
    const source = await opened;
    expect((await rejected(source.check(state, 3), VmError)).kind).to.equal('host');
    await source.close();
    expect(alive.size).to.equal(0);
  });

  it('leave no guest where it cannot say what it sees', async () => {
    const { opened, alive } = made([], new AgentError('refused', 'nothing is presented'));
    await rejected(opened, AgentError);
    expect(alive.size).to.equal(0);
  });
});
