/** What the event streams of the tests are made of. */
import type { TimelineEntry } from '../../harness/core/events.js';

/** Named steps by backend. */
export const protocol: Record<string, string[]> = {
  redo: [
    'redo.create.heap-synced',
    'redo.create.logs-synced',
    'redo.create.dir-synced',
    'redo.commit.record-written',
    'redo.commit.log-synced',
    'redo.commit.log-switched',
    'redo.checkpoint.pages-written',
    'redo.checkpoint.heap-synced',
    'redo.checkpoint.applied-written',
    'redo.checkpoint.applied-synced',
    'redo.recover.headers-read',
    'redo.recover.records-synced',
    'redo.recover.pages-laid',
  ],
  journal: [
    'journal.create.heap-synced',
    'journal.create.dir-synced',
    'journal.commit.record-written',
    'journal.commit.journal-synced',
    'journal.commit.pages-written',
    'journal.commit.heap-synced',
    'journal.commit.journal-reset',
    'journal.recover.record-checked',
    'journal.recover.pages-written',
    'journal.recover.heap-synced',
  ],
  copy: [
    'copy.create.heap-synced',
    'copy.create.dir-synced',
    'copy.commit.new-written',
    'copy.commit.new-synced',
    'copy.commit.renamed',
    'copy.commit.dir-synced',
    'copy.recover.new-removed',
  ],
  plain: ['plain.create.heap-synced', 'plain.commit.page-synced', 'plain.commit.synced'],
};

/** Operations around a power cut, with every kind of entry and every fate. */
export function timelineFixture(text: (plain: string) => string = (plain) => plain): TimelineEntry[] {
  const [heap, log] = ['heap', 'heap.journal'];
  const page = 4096;
  const write = (
    file: string,
    at: number,
    fate: NonNullable<TimelineEntry['fate']>,
    step: string,
  ): TimelineEntry => ({
    kind: 'write',
    label: text(`write page ${at} of ${file}`),
    file,
    offset: at * page,
    length: page,
    fate,
    step,
  });
  const flush = (file: string): TimelineEntry => ({ kind: 'flush', label: `fdatasync ${file}`, file });
  return [
    { kind: 'ack', label: 'commit 4 acked' },
    write(log, 0, 'durable', 'journal.commit.record-written'),
    write(log, 1, 'durable', 'journal.commit.record-written'),
    write(log, 2, 'durable', 'journal.commit.record-written'),
    flush(log),
    { kind: 'step', label: 'journal.commit.journal-synced', step: 'journal.commit.journal-synced' },
    write(heap, 3, 'kept', 'journal.commit.pages-written'),
    write(heap, 17, 'lost', 'journal.commit.pages-written'),
    write(heap, 18, 'torn', 'journal.commit.pages-written'),
    {
      kind: 'metadata',
      label: 'truncate heap.journal to 0',
      file: log,
      fate: 'kept',
      step: 'journal.commit.journal-reset',
    },
    { kind: 'ack', label: 'commit 5 acked' },
    { kind: 'cut', label: 'power cut' },
  ];
}

/** The same as a recorded disk sees it: only what was pending, and a part of it belongs to no file. */
export function diskTimelineFixture(): TimelineEntry[] {
  const page = 4096;
  const at = { length: page, step: 'redo.commit.log-written' };
  return [
    {
      kind: 'write',
      label: 'page 17 of heap.log0',
      file: 'heap.log0',
      offset: 17 * page,
      fate: 'lost',
      ...at,
    },
    {
      kind: 'metadata',
      label: "8192 bytes of the file system's journal",
      offset: 99 * page,
      fate: 'kept',
      ...at,
    },
    { kind: 'flush', label: 'flush of the device' },
    { kind: 'cut', label: 'power cut' },
  ];
}

/** Free texts that try to break out of every format. */
export const hostileText =
  `<script>alert("x")</script><img src=x onerror=alert(1)> ]]> --> &lt; \u001b[31mred\u001b[0m \u001b]0;title\u0007 ` +
  `a|b \`code\` **bold** [link](http://evil.example/) \u0000\u0008\u009b2J \u202egnp.exe\n::error::injected\r\n# Heading\n%0A\ud800`;

export function hostile(plain: string): string {
  return `${plain} ${hostileText}`;
}
