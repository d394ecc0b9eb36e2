import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hasDirectEntry, payloadOf, writeBareKernel } from '../../../harness/images/bare-kernel.js';
import { temporaryFolder } from '../../support/cli.js';

/** An ELF file with one segment of notes: of Xen, each with eight bytes. */
function elfWith(...types: number[]): Buffer {
  const notes = types.map((type) => {
    const note = Buffer.alloc(24);
    note.writeUInt32LE(4, 0);
    note.writeUInt32LE(8, 4);
    note.writeUInt32LE(type, 8);
    note.write('Xen\0', 12, 'latin1');
    return note;
  });
  const table = Buffer.alloc(64 + 56);
  table.write('\x7fELF\x02', 0, 'latin1');
  table.writeBigUInt64LE(64n, 0x20);
  table.writeUInt16LE(56, 0x36);
  table.writeUInt16LE(1, 0x38);
  table.writeUInt32LE(4, 64);
  table.writeBigUInt64LE(120n, 64 + 8);
  table.writeBigUInt64LE(BigInt(24 * types.length), 64 + 32);
  return Buffer.concat([table, ...notes]);
}

function bzImage(payload: Buffer, { version = 0x20f, setupSectors = 3 } = {}): Buffer {
  const setup = Buffer.alloc(((setupSectors || 4) + 1) * 512 + 40);
  setup[0x1f1] = setupSectors;
  setup.write('HdrS', 0x202, 'latin1');
  setup.writeUInt16LE(version, 0x206);
  setup.writeUInt32LE(40, 0x248);
  setup.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([setup, payload, Buffer.from('more')]);
}

describe('a kernel without its own compression', () => {
  it('is where the header says', () => {
    const payload = Buffer.from('payload');
    expect(payloadOf(bzImage(payload))?.toString()).to.equal('payload');
    expect(payloadOf(bzImage(payload, { setupSectors: 0 }))?.toString()).to.equal('payload');
  });

  it('is not looked for in what is older, cut short, or no kernel', () => {
    const whole = bzImage(Buffer.from('payload'));
    expect(payloadOf(bzImage(Buffer.from('payload'), { version: 0x207 }))).to.equal(null);
    expect(payloadOf(whole.subarray(0, whole.length - 5))).to.equal(null);
    expect(payloadOf(bzImage(Buffer.alloc(0)))).to.equal(null);
    expect(payloadOf(Buffer.alloc(4096))).to.equal(null);
    expect(payloadOf(Buffer.from('MZ'))).to.equal(null);
  });

  it('can be started where it has an entry for that', () => {
    expect(hasDirectEntry(elfWith(6, 18))).to.equal(true);
    expect(hasDirectEntry(elfWith(6, 17))).to.equal(false);
    expect(hasDirectEntry(elfWith())).to.equal(false);
    expect(hasDirectEntry(elfWith(6, 18).subarray(0, 100))).to.equal(false);
    expect(hasDirectEntry(elfWith(18).subarray(0, 130))).to.equal(false);
    expect(hasDirectEntry(Buffer.from('#!/bin/sh'))).to.equal(false);
  });

  describe('written to a file', () => {
    const { folder, remove } = temporaryFolder();
    after(remove);
    const [from, to] = [path.join(folder, 'vmlinuz'), path.join(folder, 'vmlinux')];
    const write = async (kernel: Buffer, program: string): Promise<boolean> => {
      const packed = execFileSync(program, ['-c'], { input: kernel });
      writeFileSync(from, bzImage(Buffer.concat([packed, Buffer.from([0, 1, 2, 3])])));
      return writeBareKernel(from, to);
    };

    for (const program of ['xz', 'zstd']) {
      it(`is what ${program} had packed`, async () => {
        expect(await write(elfWith(18), program)).to.equal(true);
        expect(readFileSync(to).equals(elfWith(18))).to.equal(true);
      });
    }

    it('is not kept where it could not be started, or is packed by something else', async () => {
      execFileSync('rm', ['-f', to]);
      expect(await write(elfWith(6), 'xz')).to.equal(false);
      expect(await write(elfWith(18), 'gzip')).to.equal(false);
      expect(existsSync(to) || existsSync(`${to}.packed`)).to.equal(false);
    });
  });
});
