import { expect } from 'chai';
import { OwnDamage } from '../../../harness/campaign/own-damage.js';
import type { RunEvent } from '../../../harness/core/events.js';
import type { Violation } from '../../../harness/disk/exploration.js';
import { corruptionIn } from '../../../harness/disk/kernel-log.js';
import { unmountable, type StateSource } from '../../../harness/disk/state-source.js';

const found = (reason: string): Violation => ({
  epoch: { number: 3, ackedFirst: 1, ackedLast: 2, pending: [], step: null, hasAck: false },
  choices: new Map(),
  acked: { first: 1, last: 2 },
  judgement: { verdict: 'unrecoverable', reason, recovered: null },
  checks: [],
});

const source = { check: () => Promise.resolve([]), device: 'loop7' } as unknown as StateSource;

describe('damage of the file system itself', () => {
  const owner = { fault: 'cut', rig: 'disk', fs: 'ext4', suffix: '+disk:torn-512' } as const;
  const damage = (log: string): { damage: OwnDamage; events: RunEvent[] } => {
    const events: RunEvent[] = [];
    const context = { emit: (event: RunEvent) => void events.push(event) };
    return { damage: new OwnDamage(context, owner, () => () => log), events };
  };

  it('is a state that cannot be mounted, told under a name of its own and taken from the target', async () => {
    const { damage: one, events } = damage('');
    expect(await one.cause(found(`${unmountable}: bad superblock`), source)).to.contain('bad superblock');
    expect(one.settle({ held: 5, unrecoverable: 2 }, 10)).to.include({
      held: 5,
      unrecoverable: 1,
      'not-measured': 1,
    });
    expect(events.map(({ type }) => type)).to.deep.equal(['target-started', 'states', 'target-ended']);
    expect(events[1]).to.include({ target: 'file-system+disk:torn-512', states: 1 });
  });

  it('is a state that the kernel calls corrupt; any other belongs to the target', async () => {
    const line = 'EXT4-fs error (device loop7): ext4_lookup:1: bad entry';
    const cause = await damage(line).damage.cause(found('rows are missing'), source);
    expect(cause ?? 'none').to.contain('bad entry');
    const quiet = damage('EXT4-fs (loop99): mounted filesystem');
    expect(await quiet.damage.cause(found('rows are missing'), source)).to.equal(null);
    expect(quiet.damage.settle({ held: 1 }, 1)).to.deep.equal({ held: 1 });
    expect(quiet.events).to.deep.equal([]);
  });

  it('is known by what each file system says, of its own device only', () => {
    expect(corruptionIn('[ 12.5] XFS (loop3): Metadata corruption detected at x', 'loop3')).to.equal(
      'the kernel: XFS (loop3): Metadata corruption detected at x',
    );
    expect(corruptionIn('BTRFS error (device loop3 state E): parent transid', 'loop3')).to.contain(
      'parent transid',
    );
    expect(corruptionIn('BTRFS error (device loop30): parent transid', 'loop3')).to.equal(null);
    expect(corruptionIn('XFS (loop3): Ending recovery', 'loop3')).to.equal(null);
  });
});
