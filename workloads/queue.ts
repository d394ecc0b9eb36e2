/**
 * A ring of messages between several producers and consumers. Tickets count messages over the whole
 * queue, sequence numbers those of one producer; messages are blocks of their own and of many sizes.
 *
 * Root block:  0 magic · 4 commit · 8 slots · 12 head ticket · 16 tail ticket · 20 ring ·
 *              24 … messages made by each producer · then for each consumer: taken, digest of what it took.
 * Ring slot:   ticket, producer, sequence, message (all 0: empty). Message: producer, sequence, length, bytes.
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

const magic = 0x75657571; // "queu"
const producers = 4;
const consumers = 3;
const madeAt = 24;
const takenAt = madeAt + 4 * producers;
const rootBytes = takenAt + 8 * consumers;
const slotBytes = 16;
const messageHead = 12;
const maxLength = 5000;

/** What a commit does, on a heap or in the model. */
interface Queue {
  readonly waiting: number;
  put(producer: number, length: number): void;
  take(consumer: number): void;
}

/** The batch of commit `k`. For eight commits the queue rather grows, for eight it rather shrinks. */
function batch(seed: number, k: number, size: WorkloadSize, queue: Queue): void {
  const random = new Random(seed, k);
  const putsOfTen = k % 16 < 8 ? 7 : 3;
  for (let left = random.about(size.changes); left > 0; left--) {
    const wantsPut = random.below(10) < putsOfTen;
    if (wantsPut ? queue.waiting < size.items : queue.waiting === 0) {
      const length = random.below(20) === 0 ? random.between(500, maxLength) : random.between(1, 200);
      queue.put(random.below(producers), length);
    } else {
      queue.take(random.below(consumers));
    }
  }
}

function contentSeed(seed: number, producer: number, sequence: number): number {
  return mix(seed, producer + 1, sequence);
}

class HeapQueue implements Queue {
  readonly #writer: HeapWriter;
  readonly #root: number;
  readonly #ring: number;

  constructor(
    heap: NativeHeap,
    readonly seed: number,
    readonly size: WorkloadSize,
  ) {
    this.#writer = new HeapWriter(heap);
    this.#root = heap.root;
    this.#ring = this.#writer.get(heap.root + 20);
  }

  get waiting(): number {
    return this.#writer.get(this.#root + 16) - this.#writer.get(this.#root + 12);
  }

  change(k: number): void {
    this.#writer.set(this.#root + 4, k);
    batch(this.seed, k, this.size, this);
  }

  put(producer: number, length: number): void {
    const writer = this.#writer;
    const message = writer.allocate(messageHead + ((length + 3) & ~3));
    const sequence = writer.get(this.#root + madeAt + 4 * producer);
    writer.set(message, producer);
    writer.set(message + 4, sequence);
    writer.set(message + 8, length);
    fill(writer.view, message + messageHead, length, contentSeed(this.seed, producer, sequence));
    const ticket = writer.get(this.#root + 16);
    const slot = this.#slot(ticket);
    writer.set(slot, ticket);
    writer.set(slot + 4, producer);
    writer.set(slot + 8, sequence);
    writer.set(slot + 12, message);
    writer.set(this.#root + madeAt + 4 * producer, sequence + 1);
    writer.set(this.#root + 16, ticket + 1);
  }

  take(consumer: number): void {
    const writer = this.#writer;
    const ticket = writer.get(this.#root + 12);
    const slot = this.#slot(ticket);
    const mine = this.#root + takenAt + 8 * consumer;
    writer.set(mine, writer.get(mine) + 1);
    writer.set(mine + 4, mix(writer.get(mine + 4), writer.get(slot + 4), writer.get(slot + 8)));
    const message = writer.get(slot + 12);
    for (let word = 0; word < slotBytes; word += 4) writer.set(slot + word, 0);
    writer.set(this.#root + 12, ticket + 1);
    writer.release(message);
  }

  #slot(ticket: number): number {
    return this.#ring + (ticket % this.size.items) * slotBytes;
  }
}

interface Saved {
  k: number;
  head: number;
  tail: number;
  made: number[];
  taken: number[];
  digests: number[];
  messages: (Uint8Array | undefined)[];
}

function copyOf(state: Saved): Saved {
  const { made, taken, digests, messages } = state;
  return { ...state, made: [...made], taken: [...taken], digests: [...digests], messages: [...messages] };
}

/** Keeps the canonical form of each waiting message: ticket, producer, sequence, length, bytes. */
class QueueSimulation implements Simulation<Saved>, Queue {
  #state: Saved = {
    k: 0,
    head: 0,
    tail: 0,
    made: new Array<number>(producers).fill(0),
    taken: new Array<number>(consumers).fill(0),
    digests: new Array<number>(consumers).fill(0),
    messages: [],
  };

  constructor(
    readonly seed: number,
    readonly size: WorkloadSize,
  ) {
    this.#state.messages = new Array<undefined>(size.items).fill(undefined);
  }

  get waiting(): number {
    return this.#state.tail - this.#state.head;
  }

  step(k: number): void {
    this.#state.k = k;
    batch(this.seed, k, this.size, this);
  }

  put(producer: number, length: number): void {
    const state = this.#state;
    const sequence = state.made[producer] ?? 0;
    const record = new Uint8Array(16 + ((length + 3) & ~3));
    const view = new DataView(record.buffer);
    view.setUint32(0, state.tail, true);
    view.setUint32(4, producer, true);
    view.setUint32(8, sequence, true);
    view.setUint32(12, length, true);
    fill(view, 16, length, contentSeed(this.seed, producer, sequence));
    state.messages[state.tail % this.size.items] = record;
    state.made[producer] = sequence + 1;
    state.tail++;
  }

  take(consumer: number): void {
    const state = this.#state;
    const slot = state.head % this.size.items;
    const record = state.messages[slot];
    if (record === undefined) throw new Error('the model took a message that is not there');
    const view = new DataView(record.buffer);
    const digest = mix(state.digests[consumer] ?? 0, view.getUint32(4, true), view.getUint32(8, true));
    state.taken[consumer] = (state.taken[consumer] ?? 0) + 1;
    state.digests[consumer] = digest;
    state.messages[slot] = undefined;
    state.head++;
  }

  encode(): Uint8Array {
    const { k, head, tail, made, taken, digests, messages } = this.#state;
    const out = new Canonical(16 << 10);
    for (const word of [k, this.size.items, head, tail, ...made]) out.word(word);
    for (let i = 0; i < consumers; i++) {
      out.word(taken[i] ?? 0);
      out.word(digests[i] ?? 0);
    }
    for (let ticket = head; ticket < tail; ticket++) {
      const record = messages[ticket % this.size.items];
      if (record !== undefined) out.record(record);
    }
    return out.finish();
  }

  save(): Saved {
    return copyOf(this.#state);
  }

  restore(saved: Saved): void {
    this.#state = copyOf(saved);
  }
}

/** Copies the waiting messages into the canonical form, checking each on its way. */
function readMessages(
  reader: HeapReader,
  out: Canonical,
  ring: number,
  head: number,
  tail: number,
  slots: number,
): void {
  const next = new Array<number>(producers).fill(-1);
  for (let ticket = head; ticket < tail; ticket++) {
    const slot = ring + (ticket % slots) * slotBytes;
    const producer = reader.get(slot + 4);
    const sequence = reader.get(slot + 8);
    const message = reader.get(slot + 12);
    if (reader.get(slot) !== ticket)
      throw new BrokenStructure(`the slot of ticket ${ticket} holds ticket ${reader.get(slot)}`);
    if (producer >= producers)
      throw new BrokenStructure(`ticket ${ticket} names producer ${producer} of ${producers}`);
    const due = next[producer] ?? -1;
    if (due >= 0 && due !== sequence) {
      throw new BrokenStructure(`producer ${producer} sent ${sequence} after ${due - 1} (ticket ${ticket})`);
    }
    next[producer] = sequence + 1;
    reader.block(message, messageHead, 'the message of ticket', ticket);
    const length = reader.get(message + 8);
    if (reader.get(message) !== producer || reader.get(message + 4) !== sequence) {
      throw new BrokenStructure(`the message of ticket ${ticket} is another one than its slot says`);
    }
    if (length > maxLength || message + messageHead + length > reader.size) {
      throw new BrokenStructure(`the message of ticket ${ticket} says it has ${length} bytes`);
    }
    out.word(ticket);
    out.word(producer);
    out.word(sequence);
    out.word(length);
    out.run(reader.bytes, message + messageHead, length);
  }
  for (let producer = 0; producer < producers; producer++) {
    const due = next[producer] ?? -1;
    const made = reader.get(reader.root + madeAt + 4 * producer);
    sound(
      due < 0 || due === made,
      `producer ${producer} made ${made} messages, but its last one is number ${due - 1}`,
    );
  }
}

function read(heap: NativeHeap, _seed: number, size: WorkloadSize): ReadState {
  const reader = new HeapReader(heap);
  const { root } = reader;
  reader.block(root, rootBytes, 'the root block');
  sound(reader.get(root) === magic, 'the root block is not that of a queue');
  const commit = reader.get(root + 4);
  const slots = reader.get(root + 8);
  const head = reader.get(root + 12);
  const tail = reader.get(root + 16);
  const ring = reader.get(root + 20);
  sound(slots === size.items, `the queue says it has ${slots} slots, not ${size.items}`);
  reader.block(ring, slots * slotBytes, 'the ring');
  sound(
    tail >= head && tail - head <= slots,
    `the tail (${tail}) does not lie 0 to ${slots} behind the head (${head})`,
  );

  const out = new Canonical(16 << 10);
  for (const word of [commit, slots, head, tail]) out.word(word);
  let made = 0;
  let taken = 0;
  for (let i = 0; i < producers; i++) {
    made += reader.get(root + madeAt + 4 * i);
    out.word(reader.get(root + madeAt + 4 * i));
  }
  for (let i = 0; i < consumers; i++) {
    taken += reader.get(root + takenAt + 8 * i);
    out.word(reader.get(root + takenAt + 8 * i));
    out.word(reader.get(root + takenAt + 8 * i + 4));
  }
  sound(made === tail, `the producers made ${made} messages, but the tail is at ${tail}`);
  sound(taken === head, `the consumers took ${taken} messages, but the head is at ${head}`);
  readMessages(reader, out, ring, head, tail, slots);
  for (let ticket = tail; ticket < head + slots; ticket++) {
    const slot = ring + (ticket % slots) * slotBytes;
    if (
      reader.get(slot) !== 0 ||
      reader.get(slot + 4) !== 0 ||
      reader.get(slot + 8) !== 0 ||
      reader.get(slot + 12) !== 0
    ) {
      throw new BrokenStructure(
        `slot ${ticket % slots} should be empty but holds ticket ${reader.get(slot)}`,
      );
    }
  }
  return { commit, bytes: out.finish(), reachable: reader.reachable() };
}

export const queue: Workload = {
  name: 'queue',
  summary: 'a ring of messages between four producers and three consumers',
  layout: 'queue/1',
  size: { heapBytes: 96 << 10, items: 192, changes: 16 },

  initialise(heap, _seed, size) {
    if (size.items < 1) throw new Error('a queue needs at least one slot');
    const writer = new HeapWriter(heap);
    const root = writer.allocate(rootBytes);
    const ring = writer.allocate(size.items * slotBytes);
    writer.set(root, magic);
    writer.set(root + 8, size.items);
    writer.set(root + 20, ring);
    heap.root = root;
  },

  start(heap, seed, size): WorkloadSession {
    return new HeapQueue(heap, seed, size);
  },

  read,
  model: (seed, size) => new IncrementalModel(new QueueSimulation(seed, size)),
};
