import { expect } from 'chai';
import { filesAfterCut, lossesText, withLosses } from '../../../harness/disk/after-cut.js';
import { Looks, zeroPage, type FileLook, type FolderLook } from '../../../harness/disk/folder-look.js';

/** Pages are named by letters; each is a whole page but `bytes` says otherwise. */
function file(inode: number, pages: string, bytes = pages.length * 4096, unwritten = 0): FileLook {
  const digests = pages.split('').map((page) => (page === '0' ? zeroPage : page));
  return { inode, bytes, pages: digests, unwritten };
}

function folder(files: Record<string, FileLook>): FolderLook {
  return new Map(Object.entries(files));
}

function looksAt(...looks: Record<string, FileLook>[]): Looks {
  const all = new Looks();
  looks.forEach((look, commit) => all.take(commit, folder(look)));
  return all;
}

/** The texts, one a file. */
function told(looks: Looks, acked: number, found: Record<string, FileLook>): string[] {
  return filesAfterCut(looks, acked, folder(found)).map(({ text }) => text);
}

describe('what a power cut made of files', () => {
  it('says nothing of files that are as they were at the ack, or as the commit in flight made them', () => {
    const looks = looksAt({ a: file(1, 'x') }, { a: file(1, 'y') }, { a: file(1, 'z') });
    expect(told(looks, 1, { a: file(1, 'y') })).to.deep.equal([]);
    expect(told(looks, 1, { a: file(1, 'z') })).to.deep.equal([]);
  });

  it('names a file whose data were never flushed', () => {
    const looks = looksAt({ log: file(1, '', 0) }, { log: file(1, 'x', 18, 1) });
    expect(told(looks, 1, { log: file(1, '', 0) })).to.deep.equal([
      '`log` is empty, though it had 18 bytes when commit 1 was acked, with a page of it only in memory: written, and not flushed',
    ]);
  });

  it('names old pages, and pages that never reached the disk', () => {
    const looks = looksAt({ a: file(1, 'xxx') }, { a: file(1, 'yyy', undefined, 2) });
    expect(told(looks, 1, { a: file(1, 'yxx') })).to.deep.equal([
      'pages 1–2 of `a` are older than when commit 1 was acked, with 2 pages of it only in memory: written, and not flushed',
    ]);
    expect(told(looks, 1, { a: file(1, 'y0y') })[0]).to.match(
      /^page 1 of `a` is all zero: what was written there had not reached the medium/,
    );
  });

  it('tells a rename, a creation and a removal that came undone', () => {
    const looks = looksAt(
      { a: file(1, 'x'), gone: file(5, 'g') },
      { a: file(2, 'y'), new: file(3, 'n') },
      { a: file(2, 'y'), new: file(3, 'n') },
    );
    expect(told(looks, 1, { a: file(1, 'x'), gone: file(5, 'g') })).to.deep.equal([
      '`a` is the file of commit 0 again, though another had been put in its place when commit 1 was acked: nothing had made that durable in its folder',
      '`gone` is there again (4096 bytes), though commit 1 had removed it: nothing had made that durable in its folder',
      '`new` is not there, though it was (4096 bytes) when commit 1 was acked: nothing had made its name in its folder durable',
    ]);
  });

  it('tells a name that was durable before its data', () => {
    const looks = looksAt({ a: file(1, 'x') }, { a: file(2, 'y', 700) });
    expect(told(looks, 0, { a: file(2, '', 0) })).to.deep.equal([
      '`a` is the new file of commit 1, which was in flight, and has 0 bytes of 700 bytes: its name was durable before its data',
    ]);
    expect(told(looks, 0, { a: file(2, '0', 700) })[0]).to.match(/has 700 bytes, all zero/);
  });

  it('tells a commit in flight that is there in part: of one file, and of several', () => {
    const looks = looksAt(
      { a: file(1, 'xxxx'), b: file(2, 'x') },
      { a: file(1, 'yyyx'), b: file(2, 'y', 4096, 1) },
    );
    expect(told(looks, 0, { a: file(1, 'yxxx'), b: file(2, 'x') })).to.deep.equal([
      'page 0 of `a` is of commit 1, which was in flight and changes 3 of its pages',
    ]);
    expect(told(looks, 0, { a: file(1, 'yyyx'), b: file(2, 'x') })).to.deep.equal([
      'of commit 1, which was in flight, `a` had reached the disk, and `b` had not, with a page of it only in memory: written, and not flushed',
    ]);
  });

  it('puts what was acked first, and bounds what is told', () => {
    const many = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`f${i}`, file(i + 1, 'x')]));
    const looks = looksAt({ ...many, z: file(9, 'x') }, { ...many, z: file(9, 'y') });
    const losses = filesAfterCut(looks, 1, folder({ a: file(20, 'q') }));
    expect(losses.at(-1)?.file).to.equal('a');
    const texts = lossesText(losses);
    expect(texts).to.have.length(5);
    expect(texts[4]).to.equal('4 more of its files differ');
  });

  it('draws what was acked and lost where it was acked', () => {
    const cut = [
      { kind: 'ack', label: 'commit 0 was acked' },
      { kind: 'ack', label: 'commit 1 was acked' },
      { kind: 'cut', label: 'power cut' },
    ] as const;
    const losses = [
      { file: 'log', text: 'gone', acked: true },
      { file: 'b', text: 'half', acked: false },
    ];
    expect(withLosses(cut, losses, 1).map(({ label }) => label)).to.deep.equal([
      'commit 0 was acked',
      'gone',
      'commit 1 was acked',
      'power cut',
    ]);
  });
});
