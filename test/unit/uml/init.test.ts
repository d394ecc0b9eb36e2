import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { initScript } from '../../../harness/uml/init.js';

describe('the first program in user-mode Linux', () => {
  const script = initScript({
    uml: {
      program: '/usr/bin/linux.uml',
      release: '6',
      modules: ['/m/fuse.ko'],
      insmod: ['/bin/busybox', 'insmod'],
    },
    folder: '/tmp/shared',
    node: "/opt/it's node",
    guest: '/opt/guest.js',
  });

  it('is a script that the shell understands, whatever the paths', () => {
    const { status, stderr } = spawnSync('/bin/sh', ['-n'], { input: script, encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
    expect(script).to.include(`'/opt/it'\\''s node' '/opt/guest.js' '/tmp/shared'`);
  });

  it('loads the modules, shares one folder for writing, and turns the machine off at the end', () => {
    expect(script).to.include(`need '/bin/busybox' 'insmod' '/m/fuse.ko'`);
    expect(script).to.include(`mount -t hostfs -o '/tmp/shared' hostfs $r'/tmp/shared'`);
    expect(script.trim().endsWith('off')).to.equal(true);
  });
});
