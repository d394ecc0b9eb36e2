import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CampaignContext, NewFinding } from '../../../harness/campaign/context.js';
import { keepPowerFinding, type FoundByTrial } from '../../../harness/campaign/poweroff-finding.js';
import { readDiskBundle } from '../../../harness/disk/bundle.js';
import type { Guests } from '../../../harness/poweroff/guests.js';
import type { PowerTrial } from '../../../harness/poweroff/trial.js';
import { temporaryFolder } from '../../support/cli.js';
import { redoBank } from '../../support/targets.js';

describe('the evidence of a power-off', () => {
  let folder: string;
  let remove: () => void;
  beforeEach(() => ({ folder, remove } = temporaryFolder()));
  afterEach(() => remove());

  const facts = {
    kernel: '6.1',
    release: '6.1.0-x',
    kernelPackage: 'linux-image-x 1',
    image: 'i',
    qemu: '7',
    accel: 'tcg',
    packages: { bash: '5' },
  };
  // Guests that cannot be had any more.
  const guests = {
    kernel: '6.1',
    facts,
    mapDisk: () => Promise.reject(new Error('no guest')),
    shortBase: () => Promise.reject(new Error('no guest')),
  } as unknown as Guests;

  async function kept(stopping: boolean): Promise<{ findings: NewFinding[]; notes: string[] }> {
    const findings: NewFinding[] = [];
    const notes: string[] = [];
    const context = {
      stopping: () => stopping,
      emit: (event: { text?: string }) => notes.push(event.text ?? ''),
      addFinding: (finding: NewFinding) => {
        findings.push(finding);
        return null;
      },
    } as unknown as CampaignContext;
    const disk = path.join(folder, 'disk');
    writeFileSync(disk, Buffer.alloc(128 * 1024 * 1024));
    const lost = { outcome: 'consistent', state: 1, reason: '', log: '', millis: 1 } as const;
    const end = { exit: 0, signal: null, stopped: null };
    const trial: PowerTrial = {
      judgement: { verdict: 'lost', reason: 'commit 3 was acked', recovered: 1 },
      checks: [{ ...lost, end }],
      acked: 3,
      step: 'redo.commit.x',
      halted: false,
      plan: { mode: 'step', phase: 'run', step: 4 },
      disk,
      cut: {
        recording: { fs: {} },
        trace: { acked: 3 },
        epoch: {},
        choices: new Map(),
        acked: { first: 3, last: 3 },
      } as unknown as PowerTrial['cut'],
      note: null,
      logs: { console: 'Kernel panic' },
      millis: { run: 1, recover: 1, total: 1 },
    };
    const job = { target: redoBank, fs: 'ext4', kernel: '6.1' };
    const found: FoundByTrial = {
      ...{ context, guests, job, mode: 'volatile', index: 5, seed: 7, folder, unit: 4096, trial },
    };
    await keepPowerFinding(found);
    return { findings, notes };
  }

  it('is kept as it is where it cannot be minimized, once, with what ran in the guest', async () => {
    const { findings, notes } = await kept(false);
    expect(findings).to.have.length(1);
    expect(notes.join()).to.match(/could not be minimized: no guest/);
    const [finding] = findings;
    expect(finding).to.include({ verdict: 'lost', trial: 5 });
    expect(finding?.guest).to.match(/^Linux 6.1.0-x/);
    expect(finding?.logs).to.include({ console: 'Kernel panic' });
    expect(finding?.logs.guest).to.match(/bash 5/);
    // The step was passed; it is not where the workload stood still.
    expect(finding?.explanation).to.match(/lost its power, after the step redo.commit.x/);
    expect(readDiskBundle(finding?.bundle ?? '')?.manifest).to.deep.include({ kernel: '6.1', guest: facts });
  });

  it('is kept, and not minimized, where somebody waits for the end of the run', async () => {
    const { findings, notes } = await kept(true);
    expect(findings).to.have.length(1);
    expect(notes).to.deep.equal([]);
  });
});
