import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Campaign } from '../../../harness/campaign/campaign.js';
import type { CampaignContext, Engine } from '../../../harness/campaign/context.js';
import { UnavailableError } from '../../../harness/core/errors.js';
import type { RunEvent, TargetSummary } from '../../../harness/core/events.js';

type TrialEvent = Extract<RunEvent, { type: 'trial' }>;
type StatesEvent = Extract<RunEvent, { type: 'states' }>;

const target: TargetSummary = {
  id: 'store',
  kind: 'command',
  fault: 'power-command',
  rig: 'host',
  expect: 'hold',
};

function trial(index: number, verdict: TrialEvent['verdict'] = 'held'): TrialEvent {
  const { id, fault, rig } = target;
  const plan = { mode: 'time', phase: 'run', delayMicros: 1 } as TrialEvent['plan'];
  return {
    type: 'trial',
    index,
    target: id,
    fault,
    rig,
    seed: 1,
    plan,
    acked: 1,
    recovered: 1,
    verdict,
    millis: { run: 1, recover: 1, total: 2 },
  };
}

function states(held: number): StatesEvent {
  const { id, fault, rig } = target;
  return {
    type: 'states',
    target: id,
    fault,
    rig,
    states: held,
    of: null,
    exhaustive: false,
    counts: { held },
    millis: 1,
  };
}

/** An engine that tells of these; then the machine is gone. */
function lost(...trials: (TrialEvent | StatesEvent)[]): Engine {
  return {
    fault: 'power-command',
    rig: 'host',
    run(context: CampaignContext): Promise<number> {
      context.emit({ type: 'target-started', target });
      for (const event of trials) context.emit(event);
      return Promise.reject(new UnavailableError('pi did not come back within 300 s', 'see to the machine'));
    },
  };
}

describe('a campaign', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-campaign-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const campaign = (engine: Engine, resume = false): Campaign =>
    new Campaign(
      {
        seed: 1,
        shard: { index: 1, of: 1 },
        budget: { millis: 1000, trials: null },
        jobs: 1,
        runFolder: path.join(folder, 'run'),
        workFolder: null,
        resume,
        maxFailures: 10,
        gateUpperBound: null,
        argv: [],
        config: {},
        skipped: [],
      },
      [engine],
      [],
    );

  const failure = async (engine: Engine, resume = false): Promise<unknown> => {
    try {
      return await campaign(engine, resume).run();
    } catch (error) {
      return error;
    }
  };

  const events = (): RunEvent[] =>
    readFileSync(path.join(folder, 'run', 'events.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as RunEvent);

  it('whose machine is gone after some trials ends in order, names it, and says so last', async () => {
    expect(await failure(lost(trial(0), trial(1)))).to.be.instanceOf(UnavailableError);
    const end = events().at(-1);
    expect(end).to.include({ type: 'run-ended', verdict: 'not-measured', exitCode: 69 });
    expect(end).to.have.nested.property('counts.held', 2);
    expect(events()).to.deep.include({
      type: 'skipped',
      what: 'power-command on host',
      reason: 'pi did not come back within 300 s',
      remedy: 'see to the machine',
      missed: 'lacking',
    });
  });

  it('whose machine is gone after some crash states of a recorded run ends in order, too', async () => {
    expect(await failure(lost(states(7)))).to.be.instanceOf(UnavailableError);
    expect(events().at(-1)).to.include({ type: 'run-ended', exitCode: 69 });
    expect(events().at(-1)).to.have.nested.property('counts.held', 7);
  });

  it('whose machine is gone after a violation ends with that', async () => {
    expect(await failure(lost(trial(0, 'lost')))).to.include({ verdict: 'violation', exitCode: 1 });
  });

  it('that never tried anything throws what was in its way', async () => {
    expect(await failure(lost())).to.be.instanceOf(UnavailableError);
    expect(events().map(({ type }) => type)).to.not.include('run-ended');
  });

  it('that is resumed does not miss what is there again', async () => {
    await failure(lost(trial(0)));
    const back: Engine = {
      fault: 'power-command',
      rig: 'host',
      run(context) {
        context.emit(trial(1));
        return Promise.resolve(2);
      },
    };
    expect(await failure(back, true)).to.include({ verdict: 'held', exitCode: 0 });
  });
});
