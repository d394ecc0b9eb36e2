/**
 * Accounts whose records are upgraded from version 1 to version 2 over several commits, while they go on
 * changing. Between the first and the last commit of the upgrade both versions lie in the heap; the last
 * one releases the old table and renames the layout from schema/1 to schema/2.
 *
 * Root block: 0 magic · 4 version · 8 commit · 12 records · 16 records upgraded · 20 table 1 · 24 table 2.
 * Version 1:  one table of 32-byte records: number, cents, flags (bit 0: euro), length of the name, name (16 bytes).
 * Version 2:  a table of offsets; each record is a block: number, thousandths (64 bits), currency, commit of
 *             its last change, length of the name, name.
 */
import type { NativeHeap } from '../native/index.js';
import { Canonical, HeapReader, HeapWriter, sound } from './heap-words.js';
import { IncrementalModel, type Simulation } from './incremental.js';
import { fill, mix, Random } from './random.js';
import {
  BrokenStructure,
  type ReadState,
  type Workload,
  type WorkloadSession,
  type WorkloadSize,
} from './workload.js';

const magic = 0x6d686373; // "schm"
const layouts = ['schema/1', 'schema/2'] as const;
const rootBytes = 32;
const oldBytes = 32;
const oldName = 16;
const newHead = 24;
const newName = 60;
const upgradeCommits = 6;
const euro = 978;
const dollar = 840;

interface Ledger {
  readonly upgraded: number;
  changeRecord(id: number, amount: number, nameLength: number, k: number): void;
  /** Brings the next records to version 2. */
  upgrade(count: number): void;
}

/** The first commit that upgrades. */
function upgradeBegins(seed: number): number {
  return 3 + (mix(seed, 0, 9) % 4);
}

function changeAll(seed: number, k: number, size: WorkloadSize, ledger: Ledger): void {
  const random = new Random(seed, k);
  for (let left = random.about(size.changes); left > 0; left--) {
    const id = random.below(size.items);
    ledger.changeRecord(id, random.below(1 << 30), 1 + random.below(newName), k);
  }
  if (k < upgradeBegins(seed) || ledger.upgraded === size.items) return;
  ledger.upgrade(Math.min(Math.ceil(size.items / upgradeCommits), size.items - ledger.upgraded));
}

function oldLength(nameLength: number): number {
  return 1 + (nameLength % oldName);
}

/** Thousandths of a change to a record of version 2: more than 32 bits hold. */
function thousandths(amount: number): number {
  return amount * 1000 + 7;
}

class HeapLedger implements Ledger, WorkloadSession {
  readonly #heap: NativeHeap;
  readonly #w: HeapWriter;
  readonly #root: number;

  constructor(
    heap: NativeHeap,
    readonly seed: number,
    readonly size: WorkloadSize,
  ) {
    this.#heap = heap;
    this.#w = new HeapWriter(heap);
    this.#root = heap.root;
  }

  get upgraded(): number {
    return this.#w.get(this.#root + 16);
  }

  change(k: number): void {
    this.#w.set(this.#root + 8, k);
    changeAll(this.seed, k, this.size, this);
  }

  changeRecord(id: number, amount: number, nameLength: number, k: number): void {
    if (id < this.upgraded) this.#changeNew(id, amount, nameLength, k);
    else this.#changeOld(id, amount, nameLength, k);
  }

  #changeOld(id: number, amount: number, nameLength: number, k: number): void {
    const w = this.#w;
    const record = w.get(this.#root + 20) + id * oldBytes;
    w.set(record + 4, amount);
    w.set(record + 12, oldLength(nameLength));
    for (let at = 0; at < oldName; at += 4) w.set(record + 16 + at, 0);
    fill(w.view, record + 16, oldLength(nameLength), mix(this.seed, id, k));
  }

  #changeNew(id: number, amount: number, nameLength: number, k: number): void {
    const w = this.#w;
    const entry = w.get(this.#root + 24) + 4 * id;
    let record = w.get(entry);
    if (w.get(record + 20) !== nameLength) {
      const next = w.allocate(newHead + ((nameLength + 3) & ~3));
      w.set(next, id);
      w.set(next + 12, w.get(record + 12));
      w.set(entry, next);
      w.release(record);
      record = next;
    }
    this.#setAmount(record, thousandths(amount));
    w.set(record + 16, k);
    w.set(record + 20, nameLength);
    fill(w.view, record + newHead, nameLength, mix(this.seed, id, k));
  }

  #setAmount(record: number, amount: number): void {
    this.#w.set(record + 4, amount >>> 0);
    this.#w.set(record + 8, Math.floor(amount / 2 ** 32));
  }

  upgrade(count: number): void {
    const w = this.#w;
    const root = this.#root;
    const from = this.upgraded;
    if (from === 0) {
      const table = w.allocate(4 * this.size.items);
      w.set(root + 24, table);
    }
    for (let id = from; id < from + count; id++) {
      const nameLength = w.get(w.get(root + 20) + id * oldBytes + 12);
      const record = w.allocate(newHead + ((nameLength + 3) & ~3));
      const old = w.get(root + 20) + id * oldBytes;
      w.set(record, id);
      this.#setAmount(record, w.get(old + 4) * 10);
      w.set(record + 12, (w.get(old + 8) & 1) === 1 ? euro : dollar);
      w.set(record + 20, nameLength);
      for (let at = 0; at < nameLength; at += 4) w.set(record + newHead + at, w.get(old + 16 + at));
      for (let at = 0; at < oldBytes; at += 4) w.set(old + at, 0);
      w.set(w.get(root + 24) + 4 * id, record);
    }
    w.set(root + 16, from + count);
    if (from + count < this.size.items) return;
    w.release(w.get(root + 20));
    w.set(root + 20, 0);
    w.set(root + 4, 2);
    this.#heap.layout = layouts[1];
  }
}

/** A record in canonical form: number, version, amount (64 bits), currency, commit of change, length, name. */
const recordHead = 28;

interface Saved {
  k: number;
  upgraded: number;
  records: Uint8Array[];
}

class SchemaSimulation implements Simulation<Saved>, Ledger {
  #k = 0;
  upgraded = 0;
  #records: Uint8Array[] = [];

  constructor(
    readonly seed: number,
    readonly size: WorkloadSize,
  ) {
    firstRecords(seed, size, (id, amount, flags, nameLength) => {
      this.#records.push(
        this.#make(id, 1, amount, (flags & 1) === 1 ? euro : dollar, 0, nameLength, mix(seed, id)),
      );
    });
  }

  step(k: number): void {
    this.#k = k;
    changeAll(this.seed, k, this.size, this);
  }

  changeRecord(id: number, amount: number, nameLength: number, k: number): void {
    const currency = word(this.#records[id], 16);
    const content = mix(this.seed, id, k);
    this.#records[id] =
      id < this.upgraded
        ? this.#make(id, 2, thousandths(amount), currency, k, nameLength, content)
        : this.#make(id, 1, amount, currency, 0, oldLength(nameLength), content);
  }

  upgrade(count: number): void {
    for (let id = this.upgraded; id < this.upgraded + count; id++) {
      const record = (this.#records[id] ?? new Uint8Array(recordHead)).slice();
      const view = new DataView(record.buffer);
      const amount = view.getUint32(8, true) * 10;
      view.setUint32(4, 2, true);
      view.setUint32(8, amount >>> 0, true);
      view.setUint32(12, Math.floor(amount / 2 ** 32), true);
      this.#records[id] = record;
    }
    this.upgraded += count;
  }

  encode(): Uint8Array {
    const { items } = this.size;
    const out = new Canonical(items * 64);
    for (const head of [this.#k, this.upgraded === items ? 2 : 1, items, this.upgraded]) out.word(head);
    for (const record of this.#records) out.record(record);
    return out.finish();
  }

  save(): Saved {
    return { k: this.#k, upgraded: this.upgraded, records: [...this.#records] };
  }

  restore({ k, upgraded, records }: Saved): void {
    this.#k = k;
    this.upgraded = upgraded;
    this.#records = [...records];
  }

  #make(
    id: number,
    version: number,
    amount: number,
    currency: number,
    k: number,
    nameLength: number,
    content: number,
  ): Uint8Array {
    const record = new Uint8Array(recordHead + ((nameLength + 3) & ~3));
    const view = new DataView(record.buffer);
    const head = [id, version, amount >>> 0, Math.floor(amount / 2 ** 32), currency, k, nameLength];
    head.forEach((value, i) => view.setUint32(4 * i, value, true));
    fill(view, recordHead, nameLength, content);
    return record;
  }
}

function word(record: Uint8Array | undefined, at: number): number {
  return record === undefined ? 0 : new DataView(record.buffer).getUint32(at, true);
}

/** The records of state 0, all of version 1. Their names are filled from mix(seed, id). */
function firstRecords(
  seed: number,
  size: WorkloadSize,
  make: (id: number, amount: number, flags: number, nameLength: number) => void,
): void {
  const random = new Random(seed, 0);
  for (let id = 0; id < size.items; id++)
    make(id, random.below(1 << 30), random.below(2), random.between(1, oldName));
}

function readOld(reader: HeapReader, record: number, id: number, out: Canonical): void {
  const nameLength = reader.get(record + 12);
  if (reader.get(record) !== id)
    throw new BrokenStructure(`record ${id} (version 1) carries the number ${reader.get(record)}`);
  if (nameLength < 1 || nameLength > oldName) {
    throw new BrokenStructure(`the name of record ${id} (version 1) says it has ${nameLength} bytes`);
  }
  const flags = reader.get(record + 8);
  if (flags > 1) throw new BrokenStructure(`record ${id} (version 1) has unknown flags ${flags}`);
  for (const value of [id, 1, reader.get(record + 4), 0, flags === 1 ? euro : dollar, 0, nameLength])
    out.word(value);
  out.run(reader.bytes, record + 16, nameLength);
}

function readNew(reader: HeapReader, record: number, id: number, out: Canonical): void {
  reader.block(record, newHead, 'record', id);
  const nameLength = reader.get(record + 20);
  if (reader.get(record) !== id)
    throw new BrokenStructure(`record ${id} (version 2) carries the number ${reader.get(record)}`);
  if (nameLength < 1 || nameLength > newName || record + newHead + nameLength > reader.size) {
    throw new BrokenStructure(`the name of record ${id} (version 2) says it has ${nameLength} bytes`);
  }
  out.word(id);
  out.word(2);
  for (let at = 4; at <= 20; at += 4) out.word(reader.get(record + at));
  out.run(reader.bytes, record + newHead, nameLength);
}

function read(heap: NativeHeap, _seed: number, size: WorkloadSize): ReadState {
  const reader = new HeapReader(heap);
  const { root } = reader;
  const { items } = size;
  reader.block(root, rootBytes, 'the root block');
  sound(reader.get(root) === magic, 'the root block is not that of a schema under upgrade');
  const version = reader.get(root + 4);
  const commit = reader.get(root + 8);
  const upgraded = reader.get(root + 16);
  const oldTable = reader.get(root + 20);
  const newTable = reader.get(root + 24);
  sound(version === 1 || version === 2, `the data say that they are of version ${version}`);
  const named = layouts[version - 1] ?? '';
  sound(heap.layout === named, `the data are of version ${version}, but the heap's layout is ${heap.layout}`);
  sound(
    reader.get(root + 12) === items,
    `the data say that there are ${reader.get(root + 12)} records, not ${items}`,
  );
  sound(upgraded <= items, `${upgraded} of ${items} records are upgraded`);
  sound(
    (version === 2) === (upgraded === items),
    `the data are of version ${version} with ${upgraded} of ${items} records upgraded`,
  );
  if (version === 1) reader.block(oldTable, items * oldBytes, 'the table of version 1');
  else sound(oldTable === 0, 'the table of version 1 is still there after the upgrade');
  if (upgraded > 0) reader.block(newTable, items * 4, 'the table of version 2');
  else sound(newTable === 0, 'the table of version 2 is there before the upgrade');

  const out = new Canonical(items * 64);
  for (const head of [commit, version, items, upgraded]) out.word(head);
  for (let id = 0; id < items; id++) {
    const old = oldTable + id * oldBytes;
    if (id >= upgraded) {
      readOld(reader, old, id, out);
      if (newTable !== 0 && reader.get(newTable + 4 * id) !== 0) {
        throw new BrokenStructure(`record ${id} is there in both versions`);
      }
      continue;
    }
    readNew(reader, reader.get(newTable + 4 * id), id, out);
    for (let at = 0; version === 1 && at < oldBytes; at += 4) {
      if (reader.get(old + at) !== 0) {
        throw new BrokenStructure(`record ${id} is upgraded, but its version 1 is not cleared`);
      }
    }
  }
  return { commit, bytes: out.finish(), reachable: reader.reachable() };
}

export const schema: Workload = {
  name: 'schema',
  summary: 'records upgraded from version 1 to 2 across commits, while they change',
  layout: layouts[0],
  otherLayouts: [layouts[1]],
  size: { heapBytes: 64 << 10, items: 192, changes: 12 },

  initialise(heap, seed, size) {
    if (size.items < 1) throw new Error('there must be at least one record');
    const w = new HeapWriter(heap);
    const root = w.allocate(rootBytes);
    const table = w.allocate(size.items * oldBytes);
    w.set(root, magic);
    w.set(root + 4, 1);
    w.set(root + 12, size.items);
    w.set(root + 20, table);
    firstRecords(seed, size, (id, amount, flags, nameLength) => {
      const record = table + id * oldBytes;
      [id, amount, flags, nameLength].forEach((value, i) => w.set(record + 4 * i, value));
      fill(w.view, record + 16, nameLength, mix(seed, id));
    });
    heap.root = root;
  },

  start: (heap, seed, size) => new HeapLedger(heap, seed, size),
  read,
  model: (seed, size) => new IncrementalModel(new SchemaSimulation(seed, size)),
};
