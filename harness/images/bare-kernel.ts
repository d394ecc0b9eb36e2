/**
 * A kernel without its own compression. An emulated processor takes seconds to undo that at each boot, and QEMU can
 * start what is in it directly, where it has an entry for that (PVH; Linux 5.0, built with CONFIG_PVH as Debian's is).
 * Formats: Documentation/arch/x86/boot.rst of the kernel, xen/include/public/elfnote.h, elf(5).
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { findTool, runTool } from './tools.js';

const header = {
  setupSectors: 0x1f1,
  magic: 0x202,
  version: 0x206,
  payloadOffset: 0x248,
  payloadLength: 0x24c,
};
/** The first version of the boot protocol that says where the payload is. */
const leastVersion = 0x0208;
const sector = 512;
/** No kernel is larger: what says so is damaged. */
const mostBytes = 512 * 1024 ** 2;

/** Programs by the bytes that what they unpack begins with. Four bytes follow it, with the size of what is in it. */
const unpackers: Record<string, { magic: string; argv: string[] }> = {
  xz: { magic: 'fd377a585a00', argv: ['-dc', '--single-stream'] },
  zstd: { magic: '28b52ffd', argv: ['-q', '-dc'] },
};

/** The compressed kernel in a bzImage; null where it is not one that says. */
export function payloadOf(bzImage: Buffer): Buffer | null {
  if (bzImage.length < header.payloadLength + 4) return null;
  if (bzImage.toString('latin1', header.magic, header.magic + 4) !== 'HdrS') return null;
  if (bzImage.readUInt16LE(header.version) < leastVersion) return null;
  const setup = ((bzImage[header.setupSectors] ?? 0) || 4) + 1;
  const from = setup * sector + bzImage.readUInt32LE(header.payloadOffset);
  const to = from + bzImage.readUInt32LE(header.payloadLength);
  return to > from && to <= bzImage.length ? bzImage.subarray(from, to) : null;
}

const elf = { phoff: 0x20, phentsize: 0x36, phnum: 0x38 };
const segment = { type: 0, offset: 8, fileSize: 32, note: 4 };
/** XEN_ELFNOTE_PHYS32_ENTRY: where a PVH loader enters. */
const entryNote = 18;

/** Can QEMU start this ELF file by itself? */
export function hasDirectEntry(kernel: Buffer): boolean {
  if (kernel.length < 64 || kernel.readUInt32BE(0) !== 0x7f454c46 || kernel[4] !== 2) return false;
  const [table, size] = [Number(kernel.readBigUInt64LE(elf.phoff)), kernel.readUInt16LE(elf.phentsize)];
  for (let i = 0; i < kernel.readUInt16LE(elf.phnum); i++) {
    const at = table + i * size;
    if (at + 56 > kernel.length) return false;
    if (kernel.readUInt32LE(at + segment.type) !== segment.note) continue;
    const from = Number(kernel.readBigUInt64LE(at + segment.offset));
    const to = from + Number(kernel.readBigUInt64LE(at + segment.fileSize));
    if (to <= kernel.length && notesHave(kernel.subarray(from, to))) return true;
  }
  return false;
}

function notesHave(notes: Buffer): boolean {
  const padded = (length: number): number => Math.ceil(length / 4) * 4;
  for (let at = 0; at + 12 <= notes.length;) {
    const [name, data] = [notes.readUInt32LE(at), notes.readUInt32LE(at + 4)];
    if (notes.readUInt32LE(at + 8) === entryNote && notes.toString('latin1', at + 12, at + 15) === 'Xen') {
      return true;
    }
    at += 12 + padded(name) + padded(data);
  }
  return false;
}

/**
 * Writes the kernel in `bzImage` to `to`. Gives false, and writes nothing, where that would not start: it is packed in
 * another way, the program to unpack it is not installed, or it has no entry. It then boots as it is, and slower.
 */
export async function writeBareKernel(bzImage: string, to: string, signal?: AbortSignal): Promise<boolean> {
  const payload = payloadOf(await readFile(bzImage));
  if (payload === null || !(await unpack(payload, to, signal))) return false;
  if (hasDirectEntry(await readFile(to))) return true;
  await rm(to);
  return false;
}

async function unpack(payload: Buffer, to: string, signal?: AbortSignal): Promise<boolean> {
  const begins = payload.subarray(0, 8).toString('hex');
  const found = Object.entries(unpackers).find(([, { magic }]) => begins.startsWith(magic));
  const program = found === undefined ? null : findTool(found[0]);
  if (found === undefined || program === null) return false;
  const packed = `${to}.packed`;
  try {
    await writeFile(packed, payload.subarray(0, -4));
    // No more than any kernel has, whatever the payload says of itself.
    const command = 'set -o pipefail; "${@:4}" <"$1" | head -c "$3" >"$2"';
    const argv = ['bash', '-c', command, 'bash', packed, to, String(mostBytes), program, ...found[1].argv];
    await runTool(argv, { signal });
    return true;
  } finally {
    await rm(packed, { force: true });
  }
}
