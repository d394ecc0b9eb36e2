/** Where a target lives while it is tortured. */
export interface Place {
  /** The target's folder, empty at first. */
  readonly dir: string;
  /** Keeps the files as they are now under a name, beside the target's folder. Returns the copy's folder. */
  keep(name: string): string;
  /** Puts the files back as they were kept. */
  restore(name: string): void;
  /** First difference, in words, between the files now and those kept; null: equal byte for byte. */
  compare(name: string, ignore: ((file: string) => boolean) | null): string | null;
  /** Empties the place for the next trial. */
  clear(): void;
}

export interface Rig {
  readonly name: string;
  /** Throws UnavailableError where this machine cannot have it. */
  prepare(): Promise<void>;
  /** One place for each slot that works in parallel. */
  place(slot: number): Place;
  close(): Promise<void>;
}
