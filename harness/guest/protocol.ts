/**
 * What the controller and an agent say to each other: one JSON object a line, both ways. The same agent runs in a guest
 * (over a virtio-serial port) and on a real machine (over stdin and stdout of an ssh channel).
 *
 *     controller: {"id": 7, "method": "mount", "params": {…}}     {"confirm": 3}
 *     agent:      {"id": 7, "result": …}  or  {"id": 7, "error": {"message", "code"?, "exitCode"?, "remedy"?}}
 *                 {"event": "log", "text": …}                     {"event": "mark", "number": 3, "text": "ack 2"}
 *
 * Several requests may be under way; answers come in any order.
 *
 * Marks are what the workload says before it goes on, each a text of at most 400 bytes without a newline:
 *
 *     begin            the work begins (after set-up)
 *     ack K            commit K was acknowledged
 *     s N NAME         step N of the commit protocol is about to take effect (builtin targets)
 *     halt N NAME      the workload now stands still before step N, as its plan asked; nothing follows
 *     done K           the work is over, K was its last commit: nothing is in flight any more
 */
import type { CrashPlan } from '../core/events.js';
import type { Target } from '../core/target.js';
import type { MappedExtent } from '../disk/line-process.js';
import type { Look, ReadSet } from '../disk/state-source.js';
import type { SubjectCheck, SubjectRun } from '../subjects/subject.js';

export const agentProtocol = 1;

/** Longest line, bytes, in either direction. */
export const maxLineBytes = 4 * 1024 ** 2;

/** Most bytes of a file in one `put` or `get`. */
export const chunkBytes = 512 * 1024;

/** Names of the virtio-serial ports of a guest; their devices are /dev/virtio-ports/NAME. */
export const controlPort = 'org.plugpull.control';
export const marksPort = 'org.plugpull.marks';

/**
 * A mark on a disk is one sector of 512 bytes, written with O_DIRECT always to the same place: `magic` (8 bytes), sequence
 * number (u32, little endian, from 1 for each process that writes), length of the text in bytes (u32), the text, zeros.
 */
export const markSector = { bytes: 512, magic: 'PLUGMARK', textAt: 16 } as const;

/** Where marks go, each before the work goes on. */
export interface Marks {
  /** A device or file to which each is written as a line with one write(2); in a VM: /dev/virtio-ports/org.plugpull.marks. */
  port?: string;
  /** A block device and the offset in bytes, a multiple of 512, of the sector for marks: see `markSector`. */
  disk?: { device: string; offset: number };
  /** Tell the controller of each by an event, and go on only when it has confirmed that. Never `s` and `halt`. */
  confirm?: boolean;
  /** Mark the steps of builtin targets too; the default is true. */
  steps?: boolean;
}

export interface RunParams {
  target: Target;
  /** The target's folder; it exists. */
  dir: string;
  seed: number;
  /** Make commit 0 first; else go on with what is there. */
  create: boolean;
  /** End after so many commits (of this run), with nothing in flight. */
  commits: number;
  /** Only `mode: 'step'` with phase `create` or `run` means something here: stand still before that step. Other moments are the controller's. */
  plan: CrashPlan | null;
  marks: Marks;
}

export interface PresentParams {
  target: Target;
  seed: number;
  /** Files with the image and the trace (as of plugpull-disk), or block devices that begin with them. */
  base: PresentedFile;
  trace: PresentedFile;
  /** As of --fs. */
  fs: string;
  /** Bytes that a torn write is torn at: 512 or 4096. */
  unit: number;
  /** An existing folder for mount point and pipes, on no device that is explored. */
  folder: string;
}

export interface PresentedFile {
  path: string;
  /** Of a block device: how much of it is the file. It is copied to memory, holes left out. */
  bytes?: number;
}

/** Methods of the agent: parameters and result. Paths are the agent's. */
export interface AgentMethods {
  hello: { params: Record<string, never>; result: Hello };
  /** The kernel's id of this boot. In a restored guest only after `wake`, else all have the same. */
  bootId: { params: Record<string, never>; result: { bootId: string } };
  /** The first thing a restored guest is told: its clock is old, and its random state that of all its siblings. */
  wake: { params: { epochMillis: number; entropy: string }; result: { bootId: string } };

  /** Starts what later commands need, so that they need not: a template does this before it is kept. */
  warm: { params: Record<string, never>; result: null };

  /** Makes a file system of `bytes` bytes at the start of the device; what lies behind stays free (marks). */
  makeFs: { params: { device: string; fs: string; bytes: number }; result: null };
  /** `error`: the kernel refused, in words with its errno; that is no failure of the agent's. `dir` is made if missing. */
  mount: { params: { device: string; fs: string; dir: string }; result: { error: string | null } };
  unmount: { params: { dir: string }; result: null };
  /** Writes all out and empties the file system's log. */
  quiesce: { params: { dir: string }; result: null };
  /** Where the files below a mounted folder lie on their device; of very many extents the first. */
  map: { params: { dir: string }; result: { extents: MappedExtent[] } };
  /** What a user would try where a file system cannot be mounted. */
  repair: { params: { device: string; fs: string }; result: { log: string } };

  makeFolder: { params: { path: string }; result: null };
  remove: { params: { path: string }; result: null };
  /** Writes `data` (base64, at most chunkBytes) at `offset` (bytes) of a file; at offset 0 it begins anew. */
  put: { params: { path: string; mode: number; offset: number; data: string }; result: null };
  /** Reads at most chunkBytes at `offset`; `bytes` is the size of the file. */
  get: { params: { path: string; offset: number; bytes: number }; result: { data: string; bytes: number } };
  /** Writes a tar archive of a folder. */
  pack: { params: { dir: string; file: string }; result: null };
  /** Copies a folder to a new one, and the first difference between two in words (null: equal byte for byte). */
  keep: { params: { dir: string; copy: string }; result: null };
  compare: {
    params: { dir: string; copy: string; ignore: string[] };
    result: { difference: string | null };
  };

  /** Set-up of a command target, or creation alone of a builtin one. */
  setup: { params: Omit<RunParams, 'create' | 'commits'>; result: SubjectRun };
  run: { params: RunParams; result: SubjectRun };
  check: { params: { target: Target; dir: string; seed: number; acked: number }; result: SubjectCheck };

  /** Starts to show crash states; ends what was shown before. */
  present: { params: PresentParams; result: null };
  digests: { params: { epoch: number; choices: string[] }; result: string[] };
  /** `copy`: a folder into which the target's folder is copied before anything recovers it; it is not there where that was not possible. */
  try: {
    params: {
      epoch: number;
      choices: string;
      acked: number;
      times: number;
      sameBytes?: boolean;
      copy?: string;
    };
    result: SubjectCheck[];
  };
  /** What was read of the state tried last, and how much was written: see ReadWatch. `watched`: it is seen at all. */
  seen: { params: Record<string, never>; result: Seen };
  look: { params: { epoch: number; choices: string[] }; result: Look[] };
  learn: { params: ReadSet; result: null };
  open: { params: { epoch: number; name: string; choices: string }; result: { writes: number[] | null } };
  refresh: { params: Record<string, never>; result: null };

  /** The kernel's log, its last 64 KiB. */
  kernelLog: { params: Record<string, never>; result: { text: string } };
}

export interface Seen {
  watched: boolean;
  last: ReadSet | null;
  written: number | null;
}

export type AgentMethod = keyof AgentMethods;

export interface Hello {
  protocol: number;
  /** plugpull's version there. */
  version: string;
  /** `uname -r` and `uname -m`. */
  kernel: string;
  machine: string;
  node: string;
  /** Milliseconds since 1970 by its clock. */
  time: number;
  uid: number;
  pid: number;
}

export interface AgentFailure {
  message: string;
  /** Of an error of the OS, e.g. ENOSPC; `EMETHOD`: there is no such method, `EPARAMS`: nonsense was asked. */
  code?: string;
  /** Of one of our own errors (see exit-codes). */
  exitCode?: number;
  remedy?: string;
}

export type AgentMessage =
  | { id: number; result: unknown }
  | { id: number; error: AgentFailure }
  | { event: 'log'; text: string }
  | { event: 'mark'; number: number; text: string };
