import { expect } from 'chai';
import type { RunFlags } from '../../../harness/cli/flags.js';
import { hostEngine } from '../../../harness/cli/plan-host.js';
import { UsageError } from '../../../harness/core/errors.js';

const agent = process.env.SSH_AUTH_SOCK;

describe('planning power cuts of a machine', () => {
  before(() => {
    process.env.SSH_AUTH_SOCK = '/run/agent';
  });
  after(() => {
    if (agent === undefined) delete process.env.SSH_AUTH_SOCK;
    else process.env.SSH_AUTH_SOCK = agent;
  });

  const plan = (flags: Partial<RunFlags>) =>
    hostEngine({ controls: false, host: 'root@pi', powerOff: 'true', ...flags }, []);

  it('refuses tools in the folder that each trial empties', () => {
    const refused: Partial<RunFlags>[] = [
      // The default of --remote-tools.
      { remoteDir: '/var/tmp' },
      { remoteDir: '/mnt/test', remoteTools: '/mnt/test/plugpull/' },
      { remoteDir: '/mnt/test', remoteTools: '/mnt//test/./plugpull/tools' },
      { remoteDir: '/home/me', remotePlugpull: '/home/me/plugpull' },
    ];
    for (const flags of refused) {
      expect(() => plan(flags), JSON.stringify(flags)).to.throw(UsageError, 'each trial empties that folder');
    }
  });

  it('takes tools beside it', () => {
    for (const remoteTools of ['/mnt/test/tools', '/mnt/test/plugpull-tools', '/mnt/test']) {
      expect(plan({ remoteDir: '/mnt/test', remoteTools }).rig).to.equal('host');
    }
  });
});
