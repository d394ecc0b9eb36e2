import { expect } from 'chai';
import { configSchema } from '../../../harness/config/schema.js';
import { UsageError } from '../../../harness/core/errors.js';
import type { RunFlags } from '../../../harness/cli/flags.js';
import { planCampaign } from '../../../harness/cli/plan.js';

const plan = (flags: Partial<RunFlags>) =>
  planCampaign({ backend: ['redo'], workload: ['bank'], controls: false, ...flags }, configSchema.parse({}));

describe('planning power-offs', () => {
  it('uses guests only where they are asked for', () => {
    expect(plan({}).engines.map(({ rig }) => rig)).not.to.include('vm');
    expect(plan({ fault: ['poweroff'] }).engines.map(({ rig }) => rig)).to.deep.equal(['vm']);
    expect(plan({ rig: ['vm'] }).engines.map(({ fault }) => fault)).to.deep.equal(['poweroff']);
  });

  it('wants mounts of its own only to recover logs on this machine', () => {
    expect(plan({ fault: ['poweroff'] }).wantsMounts).to.equal(false);
    expect(plan({ fault: ['poweroff'], recover: 'host' }).wantsMounts).to.equal(true);
    expect(plan({ fault: ['poweroff'], recover: 'host', powerOffMode: ['kept'] }).wantsMounts).to.equal(
      false,
    );
  });

  it('refuses by name what there is not', () => {
    const refusal = (flags: Partial<RunFlags>): string => {
      try {
        plan({ fault: ['poweroff'], ...flags });
      } catch (error) {
        expect(error).to.be.instanceOf(UsageError);
        return `${(error as UsageError).message}; ${(error as UsageError).remedy ?? ''}`;
      }
      throw new Error('it was not refused');
    };
    expect(refusal({ kernel: ['9.9'] })).to.match(/--kernel: there is no "9.9"; there are: .*6\.1/);
    expect(refusal({ powerOffMode: ['gone'] })).to.match(/--power-off-mode: .*kept, volatile, log/);
    expect(refusal({ recover: 'here' })).to.match(/--recover: .*guest, host/);
    expect(refusal({ fs: ['ntfs'] })).to.match(/no file system "ntfs".*f2fs/);
    expect(refusal({ rig: ['folder'] })).to.match(/`poweroff` needs rig vm/);
  });

  it('takes a kernel by the name of its package', () => {
    expect(plan({ fault: ['poweroff'], kernel: ['linux-image-cloud-amd64'] }).engines).to.have.length(1);
  });
});
