/**
 * Bundles: a finding in one file that can be replayed elsewhere.
 *
 *   8 bytes  magic "PLUGPULL"
 *   4 bytes  format version, little endian
 *   4 bytes  length of the compressed payload, little endian
 *  32 bytes  SHA-256 of all other bytes of the file
 *            payload, gzip of: for each entry, length of its name (u16), name (UTF-8), length (u32), bytes
 *
 * The entry `manifest.json` comes first. A reader trusts nothing: every length is bounded, the sum is checked
 * before anything is unpacked, unpacking stops at a bound, and names cannot leave the folder they are put in.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { UsageError } from '../core/errors.js';

export const bundleVersion = 1;
export const bundleExtension = '.plugpull';

const magic = Buffer.from('PLUGPULL');
const headBytes = magic.length + 4 + 4 + 32;
const hashAt = magic.length + 8;
const manifestName = 'manifest.json';

export interface BundleLimits {
  /** Bytes of the file. */
  fileBytes: number;
  /** Bytes after unpacking. */
  unpackedBytes: number;
  entries: number;
}

export const defaultBundleLimits: BundleLimits = {
  fileBytes: 256 * 1024 ** 2,
  unpackedBytes: 1024 ** 3,
  entries: 10_000,
};

export interface Bundle {
  manifest: unknown;
  /** Everything else, by name with `/` between folders. */
  files: Map<string, Buffer>;
}

export function encodeBundle({ manifest, files }: Bundle): Buffer {
  const parts: Buffer[] = [];
  const add = (name: string, bytes: Buffer): void => {
    const nameBytes = Buffer.from(name);
    const lengths = Buffer.alloc(2);
    lengths.writeUInt16LE(nameBytes.length);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length);
    parts.push(lengths, nameBytes, size, bytes);
  };
  add(manifestName, Buffer.from(JSON.stringify(manifest)));
  for (const [name, bytes] of files) {
    const problem = nameProblem(name);
    if (problem !== null) throw new Error(`the entry ${JSON.stringify(name)} ${problem}`);
    add(name, bytes);
  }
  const payload = gzipSync(Buffer.concat(parts));
  const head = Buffer.alloc(headBytes);
  magic.copy(head);
  head.writeUInt32LE(bundleVersion, magic.length);
  head.writeUInt32LE(payload.length, magic.length + 4);
  hashOf(head, payload).copy(head, hashAt);
  return Buffer.concat([head, payload]);
}

export function writeBundle(file: string, bundle: Bundle): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, encodeBundle(bundle));
}

/** Throws UsageError that names the file and what is wrong with it. */
export function readBundle(file: string, limits: BundleLimits = defaultBundleLimits): Bundle {
  let size: number;
  try {
    size = statSync(file).size;
  } catch (error) {
    throw new UsageError(
      `cannot read the bundle ${file}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`,
    );
  }
  if (size > limits.fileBytes)
    refuse(file, `has ${size} bytes, more than the ${limits.fileBytes} that are read`);
  return decodeBundle(readFileSync(file), file, limits);
}

export function decodeBundle(
  bytes: Buffer,
  file: string,
  limits: BundleLimits = defaultBundleLimits,
): Bundle {
  if (bytes.length < headBytes || !bytes.subarray(0, magic.length).equals(magic))
    refuse(file, 'is not a bundle');
  const version = bytes.readUInt32LE(magic.length);
  if (version > bundleVersion) {
    throw new UsageError(
      `the bundle ${file} has format ${version}; this version reads up to ${bundleVersion}`,
      'replay it with a newer plugpull',
    );
  }
  const payload = bytes.subarray(headBytes);
  const length = bytes.readUInt32LE(magic.length + 4);
  if (payload.length < length) refuse(file, `is cut short: ${payload.length} of ${length} bytes are there`);
  if (payload.length > length) refuse(file, `has ${payload.length - length} bytes too many`);
  if (!timingSafeEqual(hashOf(bytes.subarray(0, headBytes), payload), bytes.subarray(hashAt, headBytes))) {
    refuse(file, 'is damaged: its checksum does not match');
  }
  if (version < 1) refuse(file, `has format ${version}, which never was`);
  return entriesOf(unpack(payload, file, limits), file, limits);
}

function hashOf(head: Buffer, payload: Buffer): Buffer {
  return createHash('sha256').update(head.subarray(0, hashAt)).update(payload).digest();
}

function unpack(payload: Buffer, file: string, limits: BundleLimits): Buffer {
  try {
    return gunzipSync(payload, { maxOutputLength: limits.unpackedBytes });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') refuse(file, `unpacks to more than ${limits.unpackedBytes} bytes`);
    return refuse(file, `cannot be unpacked: ${message}`);
  }
}

function entriesOf(content: Buffer, file: string, limits: BundleLimits): Bundle {
  const files = new Map<string, Buffer>();
  let at = 0;
  const take = (count: number): Buffer => {
    if (count > content.length - at) refuse(file, 'ends in the middle of an entry');
    at += count;
    return content.subarray(at - count, at);
  };
  while (at < content.length) {
    if (files.size >= limits.entries) refuse(file, `has more than ${limits.entries} entries`);
    const name = take(take(2).readUInt16LE()).toString('utf8');
    const problem = nameProblem(name);
    if (problem !== null) refuse(file, `has an entry ${JSON.stringify(name)} that ${problem}`);
    if (files.has(name)) refuse(file, `has two entries ${name}`);
    files.set(name, take(take(4).readUInt32LE()));
  }
  const text = files.get(manifestName);
  if (text === undefined) return refuse(file, `has no ${manifestName}`);
  files.delete(manifestName);
  try {
    return { manifest: JSON.parse(text.toString('utf8')) as unknown, files };
  } catch (error) {
    return refuse(file, `has a ${manifestName} that is no JSON: ${(error as Error).message}`);
  }
}

/** Why a name cannot be that of an entry, or null. */
function nameProblem(name: string): string | null {
  if (name === '' || name.length > 1000) return 'has no usable name';
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\\]/.test(name)) return 'has forbidden characters in its name';
  if (name.startsWith('/') || name.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    return 'leaves its folder';
  }
  return null;
}

function refuse(file: string, what: string): never {
  throw new UsageError(`the bundle ${file} ${what}`);
}
