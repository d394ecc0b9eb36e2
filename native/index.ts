/**
 * The TypeScript face of the native core. Types only describe; the addon does.
 * Everything here is synchronous: it is used in worker processes that have no event loop.
 */
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export type TrackerKind = 'auto' | 'pagemap' | 'mprotect' | 'compare';

export interface HeapOptions {
  backend: string;
  /** The backing file. Helper files of the backend lie beside it. */
  path: string;
  /** Name of the application's layout, e.g. `bank/1`; a heap with another one is refused by name. */
  layout: string;
  /** Bytes, whole pages. Needed by create. */
  size?: number;
  /** Bytes of address space reserved for growth. */
  maxSize?: number;
  tracker?: TrackerKind;
  logBytes?: number;
  background?: boolean;
  readOnly?: boolean;
  fixedAddress?: boolean;
  /** Mixed into checksums. Default 0. */
  identity?: bigint;
  /** Name of a planted bug (see `plantedBugs()`). */
  planted?: string | undefined;
  /** Where files live. Default: the real file system. */
  storage?: NativeStorage;
}

/** An opaque handle: posix (default), `faulty` or `model`. */
export interface NativeStorage {
  readonly kind: string;
}

export interface HeapReport {
  problems: string[];
  allocatedBlocks: number;
  allocatedBytes: number;
  freePages: number;
}

export interface NativeHeap {
  /** All bytes of the heap; fetch it again after anything that can grow or shrink the heap. Detached by close(). */
  readonly buffer: ArrayBuffer;
  readonly size: number;
  readonly sequence: number;
  readonly lastCommitPages: number;
  root: number;
  layout: string;
  /** Zeroed, 16-byte aligned; offsets are from the start of the heap, 0 is null. */
  allocate(bytes: number): number;
  release(offset: number): void;
  usableSize(offset: number): number;
  trim(): void;
  commit(): void;
  checkpoint(): void;
  verify(reachable?: Float64Array): HeapReport;
  close(): void;
}

export interface BackendInfo {
  name: string;
  summary: string;
  failureAtomic: boolean;
  needsReflink: boolean;
  steps: string[];
}

export interface PlantedBugInfo {
  name: string;
  subject: string;
  figureClass: number;
  /** What can show it; `error`: only an error or short write injected into storage. */
  seenBy: 'kill' | 'cut' | 'error';
  /** A workload that shows it. */
  workload: string;
  summary: string;
}

/** How a child ended: by exit status or by signal, or because we had to stop it. */
export interface ChildEnd {
  exit: number | null;
  signal: number | null;
  /** Set when we killed it for a limit. */
  stopped: 'time' | 'memory' | 'output' | null;
  maxRssBytes: number;
  /** Everything it wrote to its result pipe, bounded. */
  output: Buffer;
}

export interface StepHit {
  /** 1-based over the life of the process since `armSteps`. */
  index: number;
  name: string;
}

/** A native std::map<uint64, uint64> whose nodes live in a heap (fixedAddress). */
export interface NativeStlMap {
  insert(key: number, value: number): void;
  erase(key: number): boolean;
  get(key: number): number | undefined;
  readonly size: number;
  /** Pairs in order, [k0, v0, k1, v1, …]; throws where the tree is not sound. */
  entries(): Float64Array;
  /** Offsets of all blocks, for Heap.verify. */
  blocks(): Float64Array;
}

export interface ThreadsOptions {
  /** 1 to 64. */
  threads: number;
  /** Slots of 4 bytes (u32) in the array. */
  slots: number;
  /** Offset of the block that is the array. */
  array: number;
  /** Counts modulo 2^32. */
  seed: number;
  /** The commit whose state the array holds; the threads begin with batch `from + 1` at once. */
  from: number;
  /** Writes of one thread in one batch. Default 16. */
  writes?: number;
}

/**
 * Native threads that write slots of one array in a heap while another commits. All numbers are u32:
 * `spread(x)`: x ^= x >>> 16; x *= 0x21f0aaad; x ^= x >>> 15; x *= 0x735a2d97; x ^= x >>> 15;
 * `mix(a, b, c)` = spread(spread(spread(a) + b) + c).
 * Thread t of n owns the slots from first = floor(slots * t / n) to floor(slots * (t + 1) / n) - 1, `share` in all.
 * Its batch k: base = mix(seed, k, t), and for j = 0 … writes - 1, one after the other:
 * slot[first + spread(base + 2 * j) % share] = spread(base + 2 * j + 1). An empty share writes nothing.
 */
export interface NativeThreadsWork {
  /**
   * Every thread does its batch `k`, the state is captured, the threads go on with `k + 1` while the flush runs.
   * What the caller wrote in the heap before (say, the number of the commit) is part of commit `k`.
   */
  commit(k: number): void;
  /** Ends the threads. The heap then holds changes that no commit has. */
  stop(): void;
}

/**
 * What the functions below throw. Errors of the OS: `code` ("ENOSPC"), `errno`, `operation` and `path`. A file that is
 * not a heap of this program: `code` HEAP_NOT_A_HEAP, HEAP_TRUNCATED, HEAP_CORRUPT, HEAP_OTHER_LAYOUT,
 * HEAP_OTHER_VERSION, HEAP_OTHER_ADDRESS or HEAP_ABSENT, and `path`. Wrong arguments: TypeError or RangeError.
 */
export interface NativeError extends Error {
  code?: string;
  errno?: number;
  operation?: string;
  path?: string;
}

/** One promise of a file system that the model can be told to keep, and who says so. */
export interface ModelProfile {
  name: string;
  summary: string;
  reflink: boolean;
  rules: { rule: string; source: string }[];
}

export interface ModelExploreOptions {
  seed?: number;
  /** Crash states to visit at most; all where there are fewer. */
  maxStates?: number;
  /** Further ways to tear each write, drawn from the seed. */
  randomTears?: number;
  /** Cuts again during recovery, so many times. */
  nested?: number;
  /** Crash states at most at one place of a recovery. */
  nestedStates?: number;
  /** Also kill the process first, let recovery run, and cut the power then. */
  killFirst?: boolean;
  /** Memory for remembering which states were seen. */
  memoryBytes?: number;
  stopAtFirst?: boolean;
}

/** Recovers and checks the state that `NativeModel.crashed` shows; 0 is right, else the class of what is wrong. */
export type ModelCheck = (acked: number, point: number, cuts: number) => number;

export interface ModelExplored {
  states: number;
  distinct: number;
  /** How many there are; estimated unless `exhaustive`. */
  of: number;
  exhaustive: boolean;
  /** Places of the run that were cut. */
  points: number;
  /** Of the states: those with more than one cut. */
  nested: number;
  stopped: boolean;
  /** States by the check's answer. */
  verdicts: Record<string, number>;
  /** States whose cut can have fallen after this step. */
  steps: Record<string, number>;
  /** The first of each class and step. */
  violations: { path: string; verdict: number; acked: number }[];
}

/** What became of one pending change in a crash state. */
export interface ModelChange {
  fate: 'unread' | 'kept' | 'lost' | 'torn';
  /** 1: of the recorded run, 2: of the recovery after the first cut … */
  cut: number;
  /** Number of the operation there, from 1. */
  operation: number;
  what: string;
  file: string;
  other: string;
  offset: number;
  length: number;
  /** The last step passed before it. */
  step: string;
  detail: string;
}

export interface ModelMinimized {
  reproduced: boolean;
  verdict: number;
  acked: number;
  /** Leads `replay` to the smallest state. */
  path: string;
  /** Operations of the run that had happened at the cut. */
  point: number;
  tries: number;
  changes: ModelChange[];
}

export interface ModelOperation {
  kind: string;
  file?: string;
  other?: string;
  step?: string;
  offset: number;
  /** kind `ack`: the commit. */
  length: number;
}

/** A run over the model of storage: recorded first, then its crash states are explored. */
export interface NativeModel {
  /** For the heap while the run is recorded. */
  readonly storage: NativeStorage;
  /** The files as a crash left them: for the check, while it runs. */
  readonly crashed: NativeStorage;
  /** Equal for equal runs. */
  readonly hash: string;
  /** Operations recorded. */
  readonly operations: number;
  /** Numbers of operations after which exploration cuts; states at other places are among theirs. */
  readonly points: number[];
  /** Commit `commit` was acknowledged. */
  ack(commit: number): void;
  /** The run is over; what follows explores it. */
  finish(options: ModelExploreOptions): void;
  /** All points of the run, or those given (ascending): an explorer a process, so that none grows too large. */
  explore(check: ModelCheck, stopping: () => boolean, points?: readonly number[]): ModelExplored;
  replay(path: string, check: ModelCheck): number;
  minimize(path: string, check: ModelCheck, tries: number): ModelMinimized;
  /** Recovery gave the state of this commit: a cut during recovery may not lose it. To be called by the check. */
  recovered(commit: number): void;
  /** Operations [from, to) of the recorded run. */
  slice(from: number, to: number): ModelOperation[];
}

export interface NativeAddon {
  model(options: { profile?: string; traceBytes?: number }): NativeModel;
  profiles(): ModelProfile[];

  /** Makes the files. Until the first commit() has returned, opening it may still say HEAP_ABSENT. */
  createHeap(options: HeapOptions): NativeHeap;
  /** Recovers. The empty layout name takes any layout. */
  openHeap(options: HeapOptions): NativeHeap;
  backends(): BackendInfo[];
  plantedBugs(): PlantedBugInfo[];

  /**
   * Counts steps from now on; at step number `at` (0: never) the process kills itself with SIGKILL, or with `halt` stands
   * still for ever, after the mark `halt <index> <name>`.
   */
  armSteps(at: number, halt?: boolean): void;
  /** All steps passed since `armSteps`, bounded at 1e6. */
  stepsPassed(): string[];
  /** Writes the number and name of each step passed to a descriptor as it happens: `s <index> <name>\n`, before it takes effect. -1: off. */
  traceStepsTo(fd: number): void;
  /** Every step is a mark too, before it takes effect: `s <index> <name>`. */
  markSteps(on: boolean): void;
  /**
   * Where marks of this process go: `port` gets each as a line, `device` (a block device) as one sector at `offset` (bytes,
   * a multiple of 512), by O_DIRECT. Places that were open are closed.
   */
  openMarks(places: { port?: string; device?: string; offset?: number }): void;
  /** A mark of at most 400 bytes: it is out when this returns. */
  mark(text: string): void;
  /** Sets this machine's clock. Needs root, as addEntropy does. */
  setClock(epochMillis: number): void;
  /** Mixes at most 256 bytes into the kernel's random numbers, at once. */
  addEntropy(bytes: Buffer): void;
  /** What the kernel still has of its log: lines of `<level>[seconds] text`. */
  kernelLog(): string;
  /** The kernel kills this process with SIGKILL after so many nanoseconds. 0 disarms. */
  killAfter(nanoseconds: number): void;

  /**
   * fork(2) of a worker started with --single-threaded. Returns 0 in the child. The child is in a
   * process group of its own, dies with its parent, its descriptor 1 is the write end of a pipe that
   * `waitChild` reads. Blocks of memory that V8 hides from children are made visible first.
   */
  forkChild(): number;
  /** Waits for the child, reading its output; stops it at a limit; kills what is left of its process group. */
  waitChild(pid: number, limits: { timeMs: number; rssBytes: number; outputBytes: number }): ChildEnd;
  exitNow(status: number): never;
  killSelf(): never;

  /** Comparison of names, permissions and bytes of two folders: null if equal, else the first difference in words. */
  compareFolders(a: string, b: string): string | null;
  /** Copies a folder to a new folder `to` (reflink where possible), with permissions and times of change. */
  copyFolder(from: string, to: string): void;
  /** Pages of a file that only the page cache holds as they are now; null where the kernel cannot tell (before Linux 6.5). */
  unwrittenPages(file: string): number | null;
  /** Can files in this folder be cloned (FICLONE)? */
  reflinkAvailable(folder: string): boolean;
  trackersAvailable(): { pagemap: boolean };

  openStlMap(heap: NativeHeap): NativeStlMap;
  startThreads(heap: NativeHeap, options: ThreadsOptions): NativeThreadsWork;
  /** An injected error: the `nth` call (1-based) of `operation` fails with `errno`, or is cut to `shortBytes`. */
  faultyStorage(plan: { operation: string; nth: number; errno?: string; shortBytes?: number }): NativeStorage;
}

function addonPath(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const candidate = path.join(folder, 'build', 'Release', 'plugpull.node');
    if (existsSync(candidate)) return candidate;
    const up = path.dirname(folder);
    if (up === folder) {
      throw new Error('the native core is not built: run `npm run build`');
    }
    folder = up;
  }
}

export const native: NativeAddon = createRequire(import.meta.url)(addonPath()) as NativeAddon;
