/** Guests for tests, if the machine has what they need. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Context } from 'mocha';
import { findImage, type VmImage } from '../../harness/images/image.js';
import { qemuFor } from '../../harness/images/qemu.js';
import type { QemuProgram } from '../../harness/vm/process.js';

export interface GuestParts {
  image: VmImage;
  qemu: QemuProgram;
}

/** The image that tests use and its QEMU; skips the test, by name of what is missing, where there is none. */
export async function guestParts(test: Context): Promise<GuestParts> {
  let why: string;
  try {
    const image = await findImage('6.1');
    if (image !== null) return { image, qemu: await qemuFor(image) };
    why = 'there is no guest image: bin/plugpull image build 6.1';
  } catch (error) {
    why = (error as Error).message;
  }
  if (test.test !== undefined) test.test.title += ` (${why})`;
  test.skip();
}

/** A sparse file. */
export function makeDisk(file: string, bytes: number): string {
  const fd = openSync(file, 'w');
  ftruncateSync(fd, bytes);
  closeSync(fd);
  return file;
}

export function testFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'plugpull-vm-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
