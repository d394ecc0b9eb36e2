import { expect } from 'chai';
import { choicesText, parseChoices } from '../../../harness/disk/enumerate.js';
import type { Violation } from '../../../harness/disk/exploration.js';
import { minimize } from '../../../harness/disk/minimize.js';
import type { StateName, StateSource } from '../../../harness/disk/state-source.js';
import type { Epoch } from '../../../harness/disk/trace-index.js';
import type { SubjectCheck } from '../../../harness/subjects/subject.js';

const writes = 12;
const epoch: Epoch = {
  number: 4,
  ackedFirst: 3,
  ackedLast: 3,
  pending: Array.from({ length: writes }, (_, id) => ({
    id,
    kind: 'write',
    offset: id * 4096,
    length: 8192,
    acked: 3,
    step: null,
  })),
  step: null,
  hasAck: false,
};

function checkOf(outcome: SubjectCheck['outcome']): SubjectCheck {
  const end = { exit: 0, signal: null, stopped: null };
  return { outcome, state: 3, reason: outcome === 'consistent' ? '' : 'torn', log: '', end, millis: 0 };
}

/** A target that breaks exactly where `broken` says. */
function presenterThat(broken: (kept: ReturnType<typeof parseChoices>) => boolean): {
  source: StateSource;
  tries: () => number;
} {
  let tries = 0;
  const source = {
    check: ({ choices }: StateName): Promise<SubjectCheck[]> => {
      tries++;
      return Promise.resolve([checkOf(broken(parseChoices(choices)) ? 'inconsistent' : 'consistent')]);
    },
  } as unknown as StateSource;
  return { source, tries: () => tries };
}

function found(choices: string): Violation {
  return {
    epoch,
    choices: parseChoices(choices),
    acked: { first: 3, last: 3 },
    judgement: { verdict: 'broken', reason: 'torn', recovered: 3 },
    checks: [{} as SubjectCheck],
  };
}

describe('minimizing a crash state', () => {
  it('gives back all lost writes but the one that matters', async () => {
    const { source, tries } = presenterThat((kept) => !kept.has(7));
    const least = await minimize(found('-'), source);
    expect(choicesText(least.choices)).to.equal('0,1,2,3,4,5,6,8,9,10,11');
    expect(least.judgement.verdict).to.equal('broken');
    expect(tries()).to.be.lessThan(60);
  });

  it('keeps two lost writes that matter only together', async () => {
    const { source } = presenterThat((kept) => !kept.has(2) && !kept.has(9));
    expect(choicesText((await minimize(found('-'), source)).choices)).to.equal('0,1,3,4,5,6,7,8,10,11');
  });

  it('heals torn writes that do not matter, and leaves the one that does', async () => {
    const { source } = presenterThat((kept) => kept.get(5)?.[0] === false);
    const least = await minimize(found('1:1,5:2,6:1'), source);
    expect(choicesText(least.choices)).to.equal('0,1,2,3,4,5:2,6,7,8,9,10,11');
  });

  it('gives back nothing that turns it into another violation', async () => {
    const check = (state: StateName): Promise<SubjectCheck[]> => {
      const kept = parseChoices(state.choices);
      const torn = !kept.has(4);
      const outcome = torn || !kept.has(7) ? 'inconsistent' : 'consistent';
      return Promise.resolve([{ ...checkOf(outcome), ...(torn ? { violation: 'torn' as const } : {}) }]);
    };
    const source = { check } as unknown as StateSource;
    const torn = { verdict: 'torn', reason: 'torn', recovered: 3 } as const;
    const least = await minimize({ ...found('-'), judgement: torn }, source);
    expect(choicesText(least.choices)).to.equal('0,1,2,3,5,6,7,8,9,10,11');
    expect(least).to.deep.include({ complete: true });
    expect(least.judgement.verdict).to.equal('torn');
  });

  it('stops where its time ends or it is told to, and says that it did', async () => {
    const { source, tries } = presenterThat((kept) => !kept.has(7));
    expect(await minimize(found('-'), source, { until: -1 })).to.include({ complete: false, tries: 0 });
    let asked = 0;
    const stopped = await minimize(found('-'), source, { stopping: () => ++asked > 3 });
    expect(stopped).to.include({ complete: false, tries: 2 });
    expect(stopped.judgement.verdict).to.equal('broken');
    expect(tries()).to.equal(2);
  });
});
