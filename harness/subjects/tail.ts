/** Keeps the last bytes of a stream and counts the rest. */
export class Tail {
  #chunks: Buffer[] = [];
  #kept = 0;
  #total = 0;

  constructor(readonly capacity = 64 * 1024) {}

  /** Bytes seen in all. */
  get total(): number {
    return this.#total;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#total += chunk.length;
    const part = chunk.length > this.capacity ? chunk.subarray(chunk.length - this.capacity) : chunk;
    // Copied: a slice would keep the whole buffer that it was read into.
    this.#chunks.push(Buffer.from(part));
    this.#kept += part.length;
    if (this.#kept > 2 * this.capacity || this.#chunks.length > 1024) this.#compact();
  }

  toString(): string {
    this.#compact();
    const text = this.#chunks[0]?.toString('utf8') ?? '';
    const lost = this.#total - this.#kept;
    return lost > 0 ? `[${lost} bytes before this are not kept]\n${text}` : text;
  }

  #compact(): void {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all.subarray(Math.max(0, all.length - this.capacity))];
    this.#kept = Math.min(all.length, this.capacity);
  }
}

/** The last lines of a text that hold something, for a one-sentence reason. */
export function lastLines(text: string, lines = 3, length = 400): string {
  const found = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(-lines)
    .join('; ');
  return found.length > length ? `…${found.slice(-length)}` : found;
}
