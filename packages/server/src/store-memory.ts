/**
 * The store in memory: the reference that every other store is compared with, the store of tests and simulations, and
 * enough for topics that need not outlive their process.
 *
 * It must never know of connections or of anything that a `TopicStore` is not told, and it has no clock, randomness or
 * I/O of its own: the same calls give the same answers. The durable part (`MemoryDisk`) can be kept apart from the store,
 * so that a simulator restarts a server on the disk that the last one left. Each batch is checked as a whole before
 * anything of it is stored, and nothing can fail after the check: that makes it atomic. Sources: `store.ts`, DESIGN's
 * decisions 1 and 2 as HF-6.2 to HF-6.5.
 */

import { HoldfastError } from '@holdfast/wire';
import type {
  Batch,
  DecidedPublish,
  Entry,
  Head,
  Outcome,
  Page,
  PageLimits,
  Payload,
  ProducerMemory,
  Range,
  Register,
  Retention,
  TopicStore,
} from './store.ts';

/** What a memory store keeps, apart from the store: hand it to the next store and the topics are there again. */
export interface MemoryDisk {
  /** By name. Owned by the store that is open on it: look, do not touch. */
  readonly topics: Map<string, MemoryTopic>;
}

/** One topic on a `MemoryDisk`. */
export interface MemoryTopic {
  readonly epoch: string;
  /** Ascending and dense; the first one's offset is `cut + 1`. */
  entries: Entry[];
  /** The highest offset that was trimmed away. */
  cut: number;
  revision: number;
  /** In order of revision: a changed register moves to the end. */
  readonly registers: Map<string, Register>;
  readonly producers: Map<string, MemoryProducer>;
}

/** One producer's memory in a topic on a `MemoryDisk`. */
export interface MemoryProducer {
  seq: number;
  at: number;
  readonly recent: { readonly seq: number; readonly digest: string; readonly outcome: Outcome }[];
}

export interface MemoryStoreOptions {
  /** Where to keep the topics. Default: a new, empty disk. One open store per disk at a time. */
  readonly disk?: MemoryDisk;
  /** Outcomes kept per producer and topic (HF-6.3). Default 64. */
  readonly outcomesMax?: number;
}

/** A new, empty disk. */
export function createMemoryDisk(): MemoryDisk {
  return { topics: new Map() };
}

/**
 * Opens a memory store. Everything resolves in the same turn of the event loop in which it was asked. Payloads and pages
 * are handed over, not copied: whoever changes one afterwards changes the log. `backup` rejects with `USAGE`; after
 * `close` everything rejects with `STORE_UNAVAILABLE`, and the disk is free for the next store.
 */
export function createMemoryStore(options: MemoryStoreOptions = {}): TopicStore {
  return new MemoryStore(options.disk ?? createMemoryDisk(), options.outcomesMax ?? 64);
}

class MemoryStore implements TopicStore {
  readonly durability = 'memory';
  readonly outcomesMax: number;
  readonly #disk: MemoryDisk;
  #closed = false;

  constructor(disk: MemoryDisk, outcomesMax: number) {
    if (!Number.isInteger(outcomesMax) || outcomesMax < 1)
      throw new HoldfastError('USAGE', `outcomesMax is ${outcomesMax}; it must be a whole number from 1.`);
    this.#disk = disk;
    this.outcomesMax = outcomesMax;
  }

  async apply(batch: Batch): Promise<void> {
    this.#assertOpen();
    const { founded, places } = placesOf(this.#disk, batch);
    const { topics } = this.#disk;
    for (const [name, topic] of founded) topics.set(name, topic);
    batch.publishes.forEach((publish, index) => storePublish(places[index]!, publish, this.outcomesMax));
    for (const { topic: name, key, value, revision } of batch.registers) {
      const topic = topics.get(name)!;
      topic.registers.delete(key);
      topic.registers.set(key, { key, value, revision });
      topic.revision = revision;
    }
  }

  async head(topic: string): Promise<Head | undefined> {
    this.#assertOpen();
    const found = this.#disk.topics.get(topic);
    return found && headOf(found);
  }

  async read(topic: string, range: Range, limits: PageLimits): Promise<Page | undefined> {
    this.#assertOpen();
    const found = this.#disk.topics.get(topic);
    return (
      found && {
        ...headOf(found),
        entries: 'after' in range ? entriesAfter(found, range.after, limits) : entriesBefore(found, range.before, limits),
      }
    );
  }

  async outcomes(topic: string, subject: string, producer: string): Promise<ProducerMemory | undefined> {
    this.#assertOpen();
    const found = this.#disk.topics.get(topic)?.producers.get(producerKey(subject, producer));
    return found && { seq: found.seq, at: found.at, recent: found.recent.slice(-this.outcomesMax) };
  }

  async registers(topic: string, afterRevision: number): Promise<readonly Register[]> {
    this.#assertOpen();
    const found = this.#disk.topics.get(topic);
    return found ? [...found.registers.values()].filter((register) => register.revision > afterRevision) : [];
  }

  async topics(after: string | undefined, countMax: number): Promise<readonly ({ readonly topic: string } & Head)[]> {
    this.#assertOpen();
    const names = [...this.#disk.topics.keys()].filter((name) => after === undefined || name > after).sort(byCodeUnits);
    return names.slice(0, Math.max(0, countMax)).map((topic) => ({ topic, ...headOf(this.#disk.topics.get(topic)!) }));
  }

  async trim(topic: string, keep: Retention): Promise<Head | undefined> {
    this.#assertOpen();
    const found = this.#disk.topics.get(topic);
    if (!found) return undefined;
    const goneCount = countToTrim(found.entries, keep);
    found.entries = found.entries.slice(goneCount);
    found.cut += goneCount;
    return headOf(found);
  }

  async remove(topic: string): Promise<void> {
    this.#assertOpen();
    this.#disk.topics.delete(topic);
  }

  async expireProducers(at: number): Promise<number> {
    this.#assertOpen();
    let expiredCount = 0;
    for (const { producers } of this.#disk.topics.values()) {
      for (const [key, producer] of producers) if (producer.at < at && producers.delete(key)) expiredCount += 1;
    }
    return expiredCount;
  }

  async backup(_path: string): Promise<void> {
    this.#assertOpen();
    throw new HoldfastError('USAGE', 'A memory store cannot be backed up: it has no file.', {
      hint: 'Use the SQLite store for topics that must outlive their process.',
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #assertOpen(): void {
    if (this.#closed) throw new HoldfastError('STORE_UNAVAILABLE', 'The store is closed.');
  }
}

/** Where one publish of a batch goes. */
interface Place {
  readonly topic: MemoryTopic;
  readonly producer: MemoryProducer;
  /** Of `producer` in `topic.producers`. */
  readonly key: string;
}

/** Where everything of a batch goes. Throws, having changed nothing, unless every offset, seq and revision is the next one. */
function placesOf(disk: MemoryDisk, batch: Batch): { founded: Map<string, MemoryTopic>; places: Place[] } {
  const founded = new Map<string, MemoryTopic>();
  for (const { topic, epoch } of batch.found) {
    assert(!disk.topics.has(topic) && !founded.has(topic), () => `the topic ${topic} is founded twice`);
    founded.set(topic, { epoch, entries: [], cut: 0, revision: 0, registers: new Map(), producers: new Map() });
  }
  const topicOf = (name: string): MemoryTopic => {
    const topic = disk.topics.get(name) ?? founded.get(name);
    assert(topic !== undefined, () => `the topic ${name} was never founded`);
    return topic;
  };
  const lasts = new Map<MemoryTopic, number>();
  const seqs = new Map<MemoryProducer, number>();
  const newProducers = new Map<MemoryTopic, Map<string, MemoryProducer>>();
  const places = batch.publishes.map(({ topic: name, subject, producer: producerName, seq, outcome, payloads, at }) => {
    const topic = topicOf(name);
    const key = producerKey(subject, producerName);
    const producer = topic.producers.get(key) ?? newProducer(newProducers, topic, key, at);
    const before = seqs.get(producer) ?? producer.seq;
    assert(seq === before + 1, () => `seq ${seq} of ${producerName} in ${name} comes after ${before}`);
    seqs.set(producer, seq);
    assert(
      payloads.length === (outcome.kind === 'accepted' ? outcome.count : 0),
      () => `seq ${seq} of ${producerName} in ${name} has ${payloads.length} payloads`,
    );
    if (outcome.kind === 'accepted') {
      const last = lasts.get(topic) ?? lastOf(topic);
      assert(outcome.count > 0 && outcome.offset === last + 1, () => `offset ${outcome.offset} in ${name} comes after ${last}`);
      lasts.set(topic, last + outcome.count);
    }
    return { topic, producer, key };
  });
  const revisions = new Map<MemoryTopic, number>();
  for (const { topic: name, revision } of batch.registers) {
    const topic = topicOf(name);
    const before = revisions.get(topic) ?? topic.revision;
    assert(revision === before + 1, () => `revision ${revision} in ${name} comes after ${before}`);
    revisions.set(topic, revision);
  }
  return { founded, places };
}

/** The memory of a producer that the disk does not know, the same one for the whole batch; not yet on the disk. */
function newProducer(known: Map<MemoryTopic, Map<string, MemoryProducer>>, topic: MemoryTopic, key: string, at: number): MemoryProducer {
  let ofTopic = known.get(topic);
  if (!ofTopic) known.set(topic, (ofTopic = new Map()));
  let producer = ofTopic.get(key);
  if (!producer) ofTopic.set(key, (producer = { seq: 0, at, recent: [] }));
  return producer;
}

function assert(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new Error(`A batch is not dense: ${message()}.`);
}

function storePublish({ topic, producer, key }: Place, publish: DecidedPublish, outcomesMax: number): void {
  const { seq, digest, at, outcome, payloads } = publish;
  for (const payload of payloads)
    topic.entries.push({ offset: lastOf(topic) + 1, producer: publish.producer, seq, from: publish.subject, at, payload });
  if (producer.seq === 0) topic.producers.set(key, producer);
  producer.seq = seq;
  producer.at = at;
  producer.recent.push({ seq, digest, outcome });
  while (producer.recent.length > outcomesMax) producer.recent.shift();
}

/** A subject and a producer as one key; the length keeps `a` + `bc` and `ab` + `c` apart. */
function producerKey(subject: string, producer: string): string {
  return `${subject.length}:${subject}${producer}`;
}

function lastOf(topic: MemoryTopic): number {
  return topic.cut + topic.entries.length;
}

function headOf(topic: MemoryTopic): Head {
  return { epoch: topic.epoch, first: topic.cut + 1, last: lastOf(topic), revision: topic.revision };
}

function entriesAfter(topic: MemoryTopic, after: number, limits: PageLimits): Entry[] {
  const start = Math.max(0, after - topic.cut);
  let end = start;
  let bytes = 0;
  while (end < topic.entries.length && end - start < limits.countMax) {
    bytes += payloadBytes(topic.entries[end]!.payload);
    if (bytes > limits.bytesMax && end > start) break;
    end += 1;
  }
  return topic.entries.slice(start, end);
}

function entriesBefore(topic: MemoryTopic, before: number, limits: PageLimits): Entry[] {
  const end = Math.max(0, Math.min(topic.entries.length, before - topic.cut - 1));
  let start = end;
  let bytes = 0;
  while (start > 0 && end - start < limits.countMax) {
    bytes += payloadBytes(topic.entries[start - 1]!.payload);
    if (bytes > limits.bytesMax && start < end) break;
    start -= 1;
  }
  return topic.entries.slice(start, end);
}

/** How many of the oldest entries some bound condemns. Age cuts up to the first entry that is young enough. */
function countToTrim(entries: readonly Entry[], keep: Retention): number {
  let start = Math.max(0, entries.length - (keep.countMax ?? Infinity));
  if (keep.bytesMax !== undefined) {
    let bytes = 0;
    let kept = entries.length;
    while (kept > start) {
      bytes += payloadBytes(entries[kept - 1]!.payload);
      if (bytes > keep.bytesMax) break;
      kept -= 1;
    }
    start = kept;
  }
  while (start < entries.length && entries[start]!.at < (keep.atMin ?? -Infinity)) start += 1;
  return start;
}

/** A payload's size, bytes: UTF-8 for JSON. */
function payloadBytes(payload: Payload): number {
  if (typeof payload !== 'string') return payload.byteLength;
  let bytes = payload.length;
  for (let index = 0; index < payload.length; index += 1) {
    const unit = payload.charCodeAt(index);
    if (unit < 0x80) continue;
    // Each half of a surrogate pair counts two: the pair is four bytes.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

function byCodeUnits(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
