/** A text as the index sees it: its words, numbered, and where each occurs. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { spread } from './random.js';

/** Only so much of a file is indexed: the tokens of all of it are kept in memory. */
export const maxTextBytes = 1 << 20;
export const maxWordBytes = 64;

export interface Text {
  file: string;
  /** First 32 bits of the SHA-256 of what was read. */
  fingerprint: number;
  /** The number of the word at each position. */
  tokens: Int32Array;
  /** Distinct words in UTF-8, by number. */
  words: Uint8Array[];
  hashes: Uint32Array;
}

const loaded = new Map<string, { key: string; text: Text }>();

/**
 * Reads and tokenises a file: runs of letters and digits, in lower case, cut at 64 bytes.
 * Without a file, the architecture page of this project. Kept until the file changes.
 * Throws an Error that names the file where it cannot be read or holds no words.
 */
export function loadText(input: string | undefined): Text {
  const file = input === undefined ? bundledText() : path.resolve(input);
  const key = keyOf(file);
  const known = loaded.get(file);
  if (known?.key === key) return known.text;
  const text = tokenise(file, readStart(file));
  if (text.tokens.length === 0) throw new Error(`${file} holds no words to index`);
  loaded.set(file, { key, text });
  return text;
}

/** FNV-1a, spread over all bits. */
export function hashWord(bytes: Uint8Array, start: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  return spread(hash);
}

function keyOf(file: string): string {
  try {
    const { size, mtimeMs, ino } = statSync(file);
    return `${size} ${mtimeMs} ${ino}`;
  } catch (error) {
    throw new Error(`the text ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function readStart(file: string): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(maxTextBytes);
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(descriptor, bytes, length, bytes.length - length, null);
      if (count === 0) break;
      length += count;
    }
    return bytes.subarray(0, length);
  } catch (error) {
    throw new Error(`the text ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  } finally {
    closeSync(descriptor);
  }
}

function tokenise(file: string, content: Buffer): Text {
  const numbers = new Map<string, number>();
  const words: Uint8Array[] = [];
  const found = content
    .toString('utf8')
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu);
  const tokens = new Int32Array(found?.length ?? 0);
  found?.forEach((whole, position) => {
    // Latin1 of the cut UTF-8 is a cheap key by which words that are cut to the same bytes are one.
    const bytes = Buffer.from(whole, 'utf8').subarray(0, maxWordBytes);
    const key = bytes.toString('latin1');
    let number = numbers.get(key);
    if (number === undefined) {
      number = words.length;
      numbers.set(key, number);
      words.push(bytes);
    }
    tokens[position] = number;
  });
  const hashes = Uint32Array.from(words, (bytes) => hashWord(bytes, 0, bytes.length));
  const fingerprint = createHash('sha256').update(content).digest().readUInt32LE(0);
  return { file, fingerprint, tokens, words, hashes };
}

function bundledText(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'docs', 'architecture.md'))) {
    const up = path.dirname(folder);
    if (up === folder)
      throw new Error('docs/architecture.md, the text that is indexed by default, is missing');
    folder = up;
  }
  return path.join(folder, 'docs', 'architecture.md');
}
