/** What a folder's files held at one moment, in digests: what a power cut made of them can be told by comparing. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import path from 'node:path';
import { native } from '../../native/index.js';

const pageBytes = 4096;
/** What a page that was never written reads as. */
export const zeroPage = '';
const zeros = Buffer.alloc(pageBytes);

export interface FileLook {
  /** Tells a file from another one of the same name. */
  inode: number;
  bytes: number;
  /** One digest for each page, `zeroPage` for one of zeros alone; null: too much to be read. */
  pages: readonly string[] | null;
  /** Pages that were only in memory; null: the kernel cannot tell. */
  unwritten: number | null;
}

/** By path below the folder. Folders themselves are not in it. */
export type FolderLook = ReadonlyMap<string, FileLook>;

/** Of one look: content beyond, and files beyond, are not looked at. */
const mostBytes = 32 * 1024 ** 2;
const mostFiles = 1000;

/** Looks at all regular files below a folder, as programs see them now. What cannot be read is left out. */
export function lookAt(folder: string): FolderLook {
  const look = new Map<string, FileLook>();
  let left = mostBytes;
  for (const name of filesBelow(folder)) {
    try {
      const file = lookAtFile(path.join(folder, name), left);
      left -= file.pages === null ? 0 : file.bytes;
      look.set(name, file);
    } catch {
      // It went away, or the disk cannot read it: that is for the check to say.
    }
  }
  return look;
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
      .sort()
      .slice(0, mostFiles);
  } catch {
    return [];
  }
}

function lookAtFile(file: string, most: number): FileLook {
  // Before it is read: that brings further pages into memory.
  const unwritten = native.unwrittenPages(file);
  // Its time of access is not to be written because of us.
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NOATIME);
  try {
    const { ino, size } = fstatSync(fd);
    return { inode: ino, bytes: size, pages: size > most ? null : digests(fd, size), unwritten };
  } finally {
    closeSync(fd);
  }
}

function digests(fd: number, size: number): string[] {
  const pages: string[] = [];
  const page = Buffer.alloc(pageBytes);
  for (let at = 0; at < size; at += pageBytes) {
    const read = readSync(fd, page, 0, Math.min(pageBytes, size - at), at);
    const content = page.subarray(0, read);
    pages.push(content.equals(zeros.subarray(0, read)) ? zeroPage : digest(content));
  }
  return pages;
}

function digest(content: Buffer): string {
  return createHash('sha1').update(content).digest('base64').slice(0, 12);
}

/** The looks at a folder at the acks of its commits, in bounded memory: files that did not change are kept once. */
export class Looks {
  private readonly byCommit = new Map<number, FolderLook>();
  private pagesLeft = 500_000;

  take(commit: number, look: FolderLook): void {
    const before = this.byCommit.get(commit - 1);
    const shared = new Map<string, FileLook>();
    for (const [name, file] of look) {
      const old = before?.get(name);
      const same = old !== undefined && sameFile(old, file);
      shared.set(name, same ? old : file);
      this.pagesLeft -= same ? 1 : 1 + (file.pages?.length ?? 0);
    }
    if (this.pagesLeft >= 0) this.byCommit.set(commit, shared);
  }

  at(commit: number): FolderLook | undefined {
    return this.byCommit.get(commit);
  }

  /** The newest commit before this one at whose ack the file had this inode, or this page. */
  newestBefore(commit: number, has: (look: FolderLook) => boolean): number | null {
    for (let one = commit - 1; one >= 0; one--) {
      const look = this.byCommit.get(one);
      if (look !== undefined && has(look)) return one;
    }
    return null;
  }
}

function sameFile(a: FileLook, b: FileLook): boolean {
  return (
    a.inode === b.inode &&
    a.bytes === b.bytes &&
    a.unwritten === b.unwritten &&
    a.pages !== null &&
    b.pages !== null &&
    a.pages.every((page, i) => page === b.pages?.[i])
  );
}
