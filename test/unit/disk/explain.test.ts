import { expect } from 'chai';
import { DiskMap, describePlace, explainState } from '../../../harness/disk/explain.js';
import { parseChunks } from '../../../harness/disk/fs/btrfs.js';
import type { Epoch } from '../../../harness/disk/trace-index.js';

const map = DiskMap.from(
  [
    { commit: 1, extents: [{ file: 'data/heap.db', logical: 0, physical: 409_600, length: 40_960 }] },
    { commit: 11, extents: [{ file: 'data/heap.db.new', logical: 8192, physical: 409_600, length: 8192 }] },
  ],
  [{ name: 'journal', offset: 4096, length: 8192 }],
);

describe('names of places on a disk', () => {
  it('names the file that lay there about then', () => {
    expect(map.place(413_696, 0)).to.deep.equal({ what: 'heap.db', file: 'heap.db', offset: 4096 });
    expect(map.place(413_696, 5)).to.deep.equal({ what: 'heap.db.new', file: 'heap.db.new', offset: 12_288 });
    expect(map.place(425_984, 5).file).to.equal('heap.db');
  });

  it('names regions of the file system, and calls the rest metadata', () => {
    expect(map.place(8192, 0)).to.deep.equal({ what: 'journal' });
    expect(map.place(0, 0)).to.deep.equal({ what: 'metadata' });
  });

  it('speaks of pages where it can', () => {
    expect(describePlace({ what: 'a', file: 'a', offset: 69_632 }, 4096)).to.equal('page 17 of a');
    expect(describePlace({ what: 'a', file: 'a', offset: 512 }, 512)).to.equal(
      '512 bytes from offset 512 of a',
    );
    expect(describePlace({ what: 'journal' }, 8192)).to.equal("8192 bytes of the file system's journal");
  });

  it('tells the story of a state', () => {
    const epoch: Epoch = {
      number: 1,
      ackedFirst: 0,
      ackedLast: 1,
      step: 'redo.commit.log-written',
      hasAck: true,
      pending: [
        { id: 1, kind: 'write', offset: 8192, length: 4096, acked: 0, step: null },
        { id: 2, kind: 'write', offset: 413_696, length: 8192, acked: 0, step: 'redo.commit.captured' },
      ],
    };
    const { text, timeline } = explainState(map, epoch, new Map([[0, null]]));
    expect(text).to.equal(
      "lost: 1 write, 8192 bytes from page 1 of heap.db [after redo.commit.captured]; on disk: 1 write, 4096 bytes of the file system's journal, after the step redo.commit.log-written",
    );
    expect(timeline.map(({ kind, fate }) => `${kind} ${fate ?? ''}`.trim())).to.deep.equal([
      'metadata kept',
      'write lost',
      'ack',
      'cut',
    ]);
    expect(
      explainState(
        map,
        epoch,
        new Map([
          [0, null],
          [1, [true, false]],
        ]),
      ).text,
    ).to.match(/^torn: 1 write, only part 0 of 2 of 8192 bytes from page 1 of heap.db/);
  });

  it('shows before it what the last flushes had made durable', () => {
    const write = (id: number, acked: number) =>
      ({ id, kind: 'write', offset: 413_696, length: 4096, acked, step: null }) as const;
    const base = { ackedFirst: 0, ackedLast: 0, step: null, hasAck: false };
    const earlier = [
      { ...base, number: 1, pending: [write(1, 0), write(2, 0)] },
      { ...base, number: 2, ackedLast: 1, pending: [write(2, 0), write(3, 1)] },
    ];
    const epoch = { ...base, number: 3, ackedFirst: 1, ackedLast: 1, pending: [write(3, 1)] };
    const { text, timeline } = explainState(map, epoch, new Map([[0, null]]), earlier);
    expect(text).to.match(
      /^of what the disk was sent, nothing was lost; not yet flushed, but on disk: 1 write/,
    );
    expect(timeline.map(({ kind, fate }) => `${kind} ${fate ?? ''}`.trim())).to.deep.equal([
      'write durable',
      'flush',
      'write durable',
      'flush',
      'ack',
      'write kept',
      'cut',
    ]);
    expect(explainState(map, { ...epoch, pending: [] }, new Map()).text).to.match(
      /all of it had been flushed/,
    );
  });

  it('reads a btrfs chunk tree', () => {
    const chunks = parseChunks(
      [
        '\titem 2 key (FIRST_CHUNK_TREE CHUNK_ITEM 22020096) itemoff 15975 itemsize 112',
        '\t\tlength 8388608 owner 2 stripe_len 65536 type SYSTEM|DUP',
        '\t\t\tstripe 0 devid 1 offset 22020096',
        '\t\t\tstripe 1 devid 1 offset 30408704',
        '\titem 1 key (FIRST_CHUNK_TREE CHUNK_ITEM 13631488) itemoff 16105 itemsize 80',
        '\t\tlength 8388608 owner 2 stripe_len 65536 type DATA',
        '\t\t\tstripe 0 devid 1 offset 13631488',
      ].join('\n'),
    );
    expect(chunks).to.deep.equal([
      { logical: 22_020_096, length: 8_388_608, kind: 'SYSTEM', stripes: [22_020_096, 30_408_704] },
      { logical: 13_631_488, length: 8_388_608, kind: 'DATA', stripes: [13_631_488] },
    ]);
  });
});
