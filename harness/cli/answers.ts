/** What a newcomer asks of a machine, answered before its devices are listed: can it do this, and how is it told to? */
import { programName } from '../core/program-name.js';
import { findImage } from '../images/image.js';
import { whyNoQemu } from '../images/qemu.js';
import { fileSystemNames, parseFileSystem } from '../disk/file-systems.js';
import { whyNoDiskHere } from '../rigs/disk.js';
import { onPath } from '../rigs/uml.js';
import { existsSync } from 'node:fs';
import { guardPath } from '../subjects/guard.js';
import { whyNoDiskFor } from './plan-disk.js';

export interface Answer {
  question: string;
  can: boolean;
  /** How well, or why not. */
  detail: string;
  /** A command line; where it cannot, what would help. */
  then: string;
}

const commands = "--setup '…' --run '…' --check '…'";
const defaultKernel = '6.1';

export async function answers(): Promise<Answer[]> {
  return [killsOfPrograms(), cutsOfPrograms(), cutsInTheModel(), await guests()];
}

function killsOfPrograms(): Answer {
  const question = 'Kill a program of your own?';
  return existsSync(guardPath())
    ? { question, can: true, detail: '', then: `${programName()} run ${commands} --fault kill` }
    : { question, can: false, detail: 'the guard is not built', then: 'npm run build' };
}

function cutsOfPrograms(): Answer {
  const question = 'Cut the power of a program of your own?';
  const lack = whyNoDiskFor(undefined);
  if (lack !== null) return { question, can: false, detail: lack.reason, then: lack.remedy };
  const there = fileSystemNames.filter((name) => onPath(parseFileSystem(name).mkfs[0] ?? '') !== null);
  const where = whyNoDiskHere() === null ? '' : ', inside user-mode Linux';
  const fs = there.join(',');
  return {
    question,
    can: there.length > 0,
    detail: there.length > 0 ? `on ${there.join(', ')}${where}` : 'no file system can be made here',
    then:
      there.length > 0
        ? `${programName()} run ${commands} --fault cut --fs ${fs}`
        : 'apt-get install e2fsprogs xfsprogs btrfs-progs',
  };
}

function cutsInTheModel(): Answer {
  return {
    question: 'Cut the power of a heap, in the storage model?',
    can: true,
    detail: '',
    then: `${programName()} run --rig model`,
  };
}

async function guests(): Promise<Answer> {
  const question = 'Cut the power of virtual machines?';
  const lack = whyNoQemu();
  if (lack !== null) return { question, can: false, detail: lack.reason, then: lack.remedy };
  const image = await findImage(defaultKernel).catch(() => null);
  return image === null
    ? { question, can: false, detail: 'no guest image is built', then: `${programName()} image build` }
    : { question, can: true, detail: '', then: `${programName()} run --fault poweroff` };
}
