import { expect } from 'chai';
import type { RunFlags } from '../../../harness/cli/flags.js';
import { whyNoDiskFor } from '../../../harness/cli/plan-disk.js';
import type { CampaignPlan } from '../../../harness/cli/campaign-plan.js';
import { planCampaign } from '../../../harness/cli/plan.js';
import { configSchema, type ConfigInput } from '../../../harness/config/schema.js';
import { UnavailableError, UsageError } from '../../../harness/core/errors.js';
import { onPath } from '../../../harness/rigs/uml.js';

const own = { setup: 'true', run: 'true', check: 'true' };
const plan = (flags: Partial<RunFlags>, config: ConfigInput = {}): CampaignPlan =>
  planCampaign({ controls: true, ...flags }, configSchema.parse(config));
const places = ({ engines }: CampaignPlan): string[] => engines.map(({ fault, rig }) => `${fault} on ${rig}`);

function refusal(flags: Partial<RunFlags>): string {
  try {
    plan(flags);
  } catch (error) {
    expect(error).to.be.instanceOf(UsageError);
    return `${(error as UsageError).message}; ${(error as UsageError).remedy ?? ''}`;
  }
  throw new Error('it was not refused');
}

describe('planning a campaign', () => {
  const disk = whyNoDiskFor(undefined) === null;

  it('cuts the power of programs wherever this machine can, and says by name what is not tried', () => {
    const planned = plan(own);
    expect(places(planned)).to.deep.equal(['kill on folder', ...(disk ? ['cut on disk'] : [])]);
    expect(planned.skipped).to.have.length(1);
    expect(planned.skipped[0]?.what).to.match(disk ? /^cut on disk \(xfs, btrfs\)$/ : /^cut on disk/);
    expect(planned.skipped[0]?.remedy).to.contain(disk ? '--fs ext4,xfs,btrfs' : '');
    // Nobody asked for the disk: a run that does not get there still holds.
    expect(planned.wanted.filter(({ named }) => named)).to.deep.equal([]);
  });

  it('takes `--fault cut` of a program to rig disk, whether it can be had or not', () => {
    const planned = plan({ ...own, fault: ['cut'] });
    expect(places(planned)).to.deep.equal(['cut on disk']);
    expect(planned.wanted).to.deep.equal([{ fault: 'cut', rig: 'disk', fs: 'ext4', named: true }]);
    expect(refusal({ ...own, rig: ['model'] })).to.match(/cannot enter the storage model; .*--rig disk/);
  });

  it('leaves heaps off the disk unless it is asked for', () => {
    expect(places(plan({ backend: ['redo'] }))).to.deep.equal(['kill on folder', 'cut on model']);
    expect(places(plan({ backend: ['redo'], rig: ['disk'], fs: ['ext4'] }))).to.deep.equal(['cut on disk']);
  });

  it('wants each file system that was named, and misses those that cannot be made here', function () {
    expect(plan({ ...own, fs: ['ext4'] }).wanted).to.deep.include({
      fault: 'cut',
      rig: 'disk',
      fs: 'ext4',
      named: true,
    });
    if (onPath('mkfs.f2fs') !== null) this.skip();
    expect(() => plan({ ...own, rig: ['disk'], fs: ['f2fs'] })).to.throw(UnavailableError, /mkfs\.f2fs/);
    expect(plan({ ...own, rig: ['disk'], fs: ['ext4', 'f2fs'] }).skipped[0]).to.deep.include({
      what: 'cut on disk (f2fs)',
      missed: 'lacking',
    });
  });

  it('tortures the programs of a configuration that names no heaps, and nothing else', () => {
    const config = { targets: { store: own, other: own } };
    const ids = (flags: Partial<RunFlags>, more: ConfigInput = {}): string[] =>
      plan(flags, { ...config, ...more }).targets.map(({ id }) => id);
    expect(ids({})).to.deep.equal(['store', 'other']);
    expect(ids({}, { backends: ['redo'], workloads: ['bank'], controls: false })).to.include.members([
      'redo/bank',
      'store',
    ]);
    expect(ids({ workload: ['bank'] }))
      .to.include('redo/bank')
      .and.not.include('store');
    expect(ids({ backend: ['redo'] })).not.to.include('store');
  });

  it('takes from the configuration what the command line leaves open', () => {
    const config = { targets: { store: own }, rig: ['disk'], fs: ['ext4', 'xfs'], commits: 7 } as const;
    const given = { ...config, rig: [...config.rig], fs: [...config.fs] };
    expect(plan({}, given).wanted.map(({ fs }) => fs)).to.deep.equal(['ext4', 'xfs']);
    expect(plan({ fs: ['ext4'] }, given).wanted.map(({ fs }) => fs)).to.deep.equal(['ext4']);
    // It is no flag: what the command line does not use of it is no mistake.
    expect(places(plan({ fault: ['kill'], rig: ['folder'] }, given))).to.deep.equal(['kill on folder']);
  });

  it('refuses flags that nothing in the run would heed', () => {
    const kill = { backend: ['redo'], fault: ['kill'] };
    expect(refusal({ ...kill, states: 5 })).to.match(/^--states: .*rig folder.*; add --rig model/);
    expect(refusal({ ...kill, exhaustive: true })).to.contain('--exhaustive');
    expect(refusal({ backend: ['redo'], diskFault: ['full'] })).to.match(/--disk-fault: .*; add --rig disk/);
    expect(refusal({ backend: ['redo'], fault: ['cut'], sweep: 'all' })).to.contain('--sweep');
    expect(refusal({ backend: ['redo'], kernel: ['6.1'] })).to.contain('--kernel');
  });
});
