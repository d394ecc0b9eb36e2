/** Logs as a real QEMU writes them. */
import { expect } from 'chai';
import { execa } from 'execa';
import { spawnSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { diskProgram } from '../../harness/disk/line-process.js';
import { readTraceIndex } from '../../harness/disk/trace-index.js';
import { markSector } from '../../harness/guest/protocol.js';
import { makeStateImage, saveDisk, traceOfLog } from '../../harness/poweroff/block-log.js';
import { testFolder } from '../support/vm.js';

const mib = 1024 ** 2;
const marksAt = mib;

function sparse(file: string, bytes: number): string {
  writeFileSync(file, '');
  truncateSync(file, bytes);
  return file;
}

function markFile(file: string, text: string): string {
  const sector = Buffer.alloc(markSector.bytes);
  sector.write(markSector.magic);
  sector.writeUInt32LE(1, 8);
  sector.writeUInt32LE(text.length, 12);
  sector.write(text, markSector.textAt);
  writeFileSync(file, sector);
  return file;
}

describe("QEMU's block logs", function () {
  this.timeout(60_000);
  let scratch: { folder: string; remove: () => void };
  const file = (name: string): string => path.join(scratch.folder, name);
  const image = (): string =>
    `driver=blklogwrites,log-sector-size=512,file.driver=file,file.filename=${file('disk')},` +
    `log.driver=file,log.filename=${file('log')}`;

  before(function () {
    if (spawnSync('qemu-io', ['--version']).status === 0) return;
    if (this.test !== undefined) this.test.title += ' (qemu-io is not installed: apt-get install qemu-utils)';
    this.skip();
  });

  beforeEach(() => {
    scratch = testFolder();
    sparse(file('disk'), 2 * mib);
    sparse(file('base'), 2 * mib);
    sparse(file('log'), 0);
  });
  afterEach(() => scratch.remove());

  it('become traces with their marks, and disks as a cut leaves them', async () => {
    markFile(file('begin'), 'begin');
    markFile(file('ack'), 'ack 1');
    const commands = [
      `write -s ${file('begin')} ${marksAt} 512`,
      'write -P 1 0 4096',
      'flush',
      `write -s ${file('ack')} ${marksAt} 512`,
      'write -P 2 0 8192',
    ];
    await execa('qemu-io', ['--image-opts', image()], { input: `${commands.join('\n')}\n`, timeout: 20_000 });
    await traceOfLog(file('log'), file('trace'), { bytes: mib, marksAt });
    const index = await readTraceIndex(file('trace'));
    expect(index.acked).to.equal(1);
    const last = index.epochs.at(-1);
    // QEMU flushed once more when it ended, which no ack depends on.
    expect(last?.pending.map(({ offset, length }) => [offset, length])).to.deep.equal([[0, 8192]]);

    const state = { base: file('base'), trace: file('trace'), epoch: last?.number ?? -1, unit: 4096 };
    const bytes = async (choices: string): Promise<number[]> => {
      await makeStateImage({ ...state, choices }, file('image'));
      const made = readFileSync(file('image'));
      expect(made.length).to.equal(2 * mib);
      return [made[0] ?? -1, made[4096] ?? -1];
    };
    expect(await bytes('-')).to.deep.equal([1, 0]);
    expect(await bytes('0')).to.deep.equal([2, 2]);
    expect(await bytes('0:2')).to.deep.equal([1, 2]);

    await bytes('0');
    await saveDisk(file('image'), mib, file('saved'));
    await execa(diskProgram(), ['restore', file('saved'), file('again')]);
    expect(readFileSync(file('again')).equals(readFileSync(file('image')).subarray(0, mib))).to.equal(true);
  });

  it('are read up to where a QEMU that died ended', async () => {
    const commands = ['write -P 1 0 4096', 'write -P 2 4096 4096', 'abort'].flatMap((one) => ['-c', one]);
    const ended = await execa('qemu-io', ['--image-opts', ...commands, image()], {
      reject: false,
      timeout: 20_000,
    });
    expect(ended.signal).to.equal('SIGABRT');
    await traceOfLog(file('log'), file('trace'), { bytes: mib, marksAt });
    expect((await readTraceIndex(file('trace'))).operations).to.equal(2);
  });
});
