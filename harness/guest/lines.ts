/** Cuts a stream of bytes into lines of bounded length. */
export class LineCutter {
  #parts: Buffer[] = [];
  #length = 0;

  /**
   * @param maxBytes of one line
   * @param onLine called with each, without its newline
   * @param onOverlong called once when a line is longer; nothing is cut after it
   */
  constructor(
    private readonly maxBytes: number,
    private readonly onLine: (line: string) => void,
    private readonly onOverlong: () => void,
  ) {}

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      if (!this.#keep(chunk.subarray(start, end))) return;
      const line = Buffer.concat(this.#parts).toString('utf8');
      this.#parts = [];
      this.#length = 0;
      this.onLine(line);
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
  }

  #keep(part: Buffer): boolean {
    if (this.#length > this.maxBytes) return false;
    this.#length += part.length;
    if (this.#length > this.maxBytes) {
      this.#parts = [];
      this.onOverlong();
      return false;
    }
    if (part.length > 0) this.#parts.push(Buffer.from(part));
    return true;
  }
}
