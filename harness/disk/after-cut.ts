/**
 * Tells what a power cut made of a program's files, in the program's own terms: which file lost what it held when a commit
 * was acked, and why that could be. A write that was never flushed may never have been sent to the disk, so the disk's own
 * record cannot name it; the files at the ack can.
 */
import type { TimelineEntry } from '../core/events.js';
import { ackLabel } from './explain.js';
import { zeroPage, type FileLook, type FolderLook, type Looks } from './folder-look.js';
import { listOf } from './ranges.js';

export interface FileLoss {
  file: string;
  /** One clause, such as "`log` is empty, though it had 18 bytes when commit 1 was acked". */
  text: string;
  /** It had been acked; else it is of the commit that was in flight. */
  acked: boolean;
}

/** @param found the files after the cut, before anything recovered them; @param acked the commit that must be there */
export function filesAfterCut(looks: Looks, acked: number, found: FolderLook): FileLoss[] {
  const then = looks.at(acked);
  if (then === undefined) return [];
  const cut = new Comparison(looks, acked, then, found);
  const names = [...new Set([...then.keys(), ...found.keys()])].sort();
  const losses = names.flatMap((name) => cut.file(name) ?? []);
  losses.push(...cut.halfway(names));
  // What was acked and is gone says more than what was under way.
  return [...losses.filter((loss) => loss.acked), ...losses.filter((loss) => !loss.acked)];
}

const mostTold = 4;

/** The first of them in words, for an explanation. */
export function lossesText(losses: readonly FileLoss[]): string[] {
  const more = losses.length - mostTold;
  return [
    ...losses.slice(0, mostTold).map(({ text }) => text),
    ...(more > 0 ? [`${more} more of its files differ`] : []),
  ];
}

/** The picture of a cut with what was lost of files though it was acked: where that ack was given, in the file's lane. */
export function withLosses(
  timeline: readonly TimelineEntry[],
  losses: readonly FileLoss[],
  acked: number,
): TimelineEntry[] {
  const entries = losses.flatMap(({ file, text, acked: was }): TimelineEntry[] =>
    was ? [{ kind: 'write', label: text, file, fate: 'lost' }] : [],
  );
  const ack = timeline.findIndex(({ kind, label }) => kind === 'ack' && label === ackLabel(acked));
  return [...timeline.slice(0, Math.max(ack, 0)), ...entries, ...timeline.slice(Math.max(ack, 0))];
}

class Comparison {
  private readonly before: FolderLook | undefined;
  private readonly after: FolderLook | undefined;

  constructor(
    private readonly looks: Looks,
    private readonly acked: number,
    private readonly then: FolderLook,
    private readonly found: FolderLook,
  ) {
    this.before = looks.at(acked - 1);
    this.after = looks.at(acked + 1);
  }

  file(name: string): FileLoss | null {
    const was = this.then.get(name);
    const is = this.found.get(name);
    if (was === undefined) return is === undefined ? null : this.extra(name, is);
    if (is === undefined) return this.missing(name, was);
    return was.inode === is.inode ? this.changed(name, was, is) : this.replaced(name, is);
  }

  /** Some files are already those of the commit in flight, and others are not. */
  halfway(names: readonly string[]): FileLoss[] {
    const { after, then, found } = this;
    if (after === undefined) return [];
    const same = (a: FileLook | undefined, b: FileLook | undefined): boolean =>
      a === undefined || b === undefined ? a === b : a.inode === b.inode && sameContent(a, b);
    const changes = names.filter((name) => !same(then.get(name), after.get(name)));
    const there = changes.filter((name) => same(found.get(name), after.get(name)));
    const absent = changes.filter((name) => same(found.get(name), then.get(name)));
    const [file] = absent;
    if (file === undefined || there.length === 0) return [];
    const [of] = absent.flatMap((name) => unwritten(after.get(name)) || []);
    const text = `of ${this.inFlight}, ${quoted(there)} had reached the disk, and ${quoted(absent)} had not${of ?? ''}`;
    return [{ file, text, acked: false }];
  }

  private get when(): string {
    return `when commit ${this.acked} was acked`;
  }

  private get inFlight(): string {
    return `commit ${this.acked + 1}, which was in flight`;
  }

  private missing(name: string, was: FileLook): FileLoss | null {
    if (this.after !== undefined && !this.after.has(name)) return null; // the next commit removes it
    const made = this.before?.has(name) === true ? '' : `: nothing had made its name in its folder durable`;
    return {
      file: name,
      text: `\`${name}\` is not there, though it was (${bytes(was.bytes)}) ${this.when}${made}${unwritten(was)}`,
      acked: true,
    };
  }

  private extra(name: string, is: FileLook): FileLoss | null {
    if (this.before?.get(name)?.inode === is.inode) {
      const text = `\`${name}\` is there again (${bytes(is.bytes)}), though commit ${this.acked} had removed it: nothing had made that durable in its folder`;
      return { file: name, text, acked: true };
    }
    const next = this.after?.get(name);
    if (next !== undefined && sameContent(next, is)) return null;
    const whose = next?.inode === is.inode ? `a file of ${this.inFlight}` : 'as at no ack';
    const text = `\`${name}\`, ${whose}, is there and ${this.content(is, next)}`;
    return { file: name, text, acked: false };
  }

  private replaced(name: string, is: FileLook): FileLoss | null {
    const old = this.looks.newestBefore(this.acked, (look) => look.get(name)?.inode === is.inode);
    if (old !== null) {
      const text = `\`${name}\` is the file of commit ${old} again, though another had been put in its place ${this.when}: nothing had made that durable in its folder`;
      return { file: name, text, acked: true };
    }
    const next = this.after?.get(name);
    if (next !== undefined && sameContent(next, is)) return null;
    const whose = next?.inode === is.inode ? `the new file of ${this.inFlight}` : 'a file as at no ack';
    const early = next?.inode === is.inode ? ': its name was durable before its data' : '';
    const text = `\`${name}\` is ${whose}, and ${this.content(is, next)}${early}`;
    return { file: name, text, acked: false };
  }

  private content(is: FileLook, next: FileLook | undefined): string {
    const whole = next?.inode === is.inode && next.bytes !== is.bytes ? ` of ${bytes(next.bytes)}` : '';
    const zero = is.bytes > 0 && is.pages?.every((page) => page === zeroPage) === true;
    return `has ${bytes(is.bytes)}${whole}${zero ? ', all zero' : ''}`;
  }

  private changed(name: string, was: FileLook, is: FileLook): FileLoss | null {
    const next = this.after?.get(name);
    const newer = next?.inode === is.inode ? next : undefined;
    if (newer !== undefined && sameContent(newer, is)) return null;
    if (is.bytes < was.bytes && is.bytes !== newer?.bytes) {
      const size = is.bytes === 0 ? 'is empty' : `has ${bytes(is.bytes)}`;
      const text = `\`${name}\` ${size}, though it had ${bytes(was.bytes)} ${this.when}${unwritten(was)}`;
      return { file: name, text, acked: true };
    }
    const { pages } = is;
    if (was.pages === null || pages === null) return null;
    const differ = pages.flatMap((page, i) => (was.pages?.[i] === page ? [] : [i]));
    const ofNext = differ.filter((i) => newer?.pages?.[i] === pages[i]);
    const others = differ.filter((i) => !ofNext.includes(i));
    const zero = others.filter((i) => pages[i] === zeroPage);
    if (zero.length > 0)
      return this.told(name, zero, 'all zero: what was written there had not reached the medium', was, true);
    const stale = others.filter((i) => this.older(name, i, pages[i]));
    if (stale.length > 0) return this.told(name, stale, `older than ${this.when}`, was, true);
    if (others.length > 0) return this.told(name, others, 'as at no ack', was, false);
    if (ofNext.length === 0) return null;
    const changes = newer?.pages?.filter((page, i) => was.pages?.[i] !== page).length ?? 0;
    const of = `of ${this.inFlight} and changes ${changes} of its pages`;
    return this.told(name, ofNext, of, { ...was, unwritten: null }, false);
  }

  private told(file: string, pages: number[], what: string, was: FileLook, acked: boolean): FileLoss {
    const are = pages.length === 1 ? 'is' : 'are';
    return { file, text: `${pageList(pages)} of \`${file}\` ${are} ${what}${unwritten(was)}`, acked };
  }

  private older(name: string, page: number, digest: string | undefined): boolean {
    const has = (look: FolderLook): boolean => look.get(name)?.pages?.[page] === digest;
    return digest !== undefined && this.looks.newestBefore(this.acked, has) !== null;
  }
}

function unwritten(look: FileLook | undefined): string {
  const pages = look?.unwritten ?? 0;
  if (pages === 0) return '';
  const which = pages === 1 ? 'a page' : `${pages} pages`;
  return `, with ${which} of it only in memory: written, and not flushed`;
}

function sameContent(a: FileLook, b: FileLook): boolean {
  return a.bytes === b.bytes && a.pages?.every((page, i) => page === b.pages?.[i]) === true;
}

function bytes(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}

function quoted(names: readonly string[]): string {
  const more = names.length > mostTold ? ` and ${names.length - mostTold} more` : '';
  return `${names
    .slice(0, mostTold)
    .map((name) => `\`${name}\``)
    .join(', ')}${more}`;
}

function pageList(pages: readonly number[]): string {
  return `${pages.length === 1 ? 'page' : 'pages'} ${listOf(pages)}`;
}
