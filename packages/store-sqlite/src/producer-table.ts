/**
 * What is remembered of each producer: one row with its last outcomes. Writing that row with every batch would double the
 * cost of a publish (measured: 9.9 against 6.0 µs), and it is not needed: the log's own rows say what became of accepted
 * publishes, and `refusals` says it of the refused ones. So rows are written late, each at the latest `LAG_ROWS` log rows
 * after it changed; `progress.producers_through` says up to where all of them are written, and opening the store reads
 * what lies behind that mark.
 *
 * Whoever deletes rows of the log must call `writeTopic` or `writeAll` before it, in the same transaction.
 */

import type { Connection, Row, Statement } from './driver.ts';
import { StoreFailure } from './failure.ts';
import { VALUES_PER_OUTCOME, type ProducerColumns } from './messages.ts';

/** One producer in one topic as the writer knows it. `seq` 0: nothing was decided yet. */
export interface Producer {
  readonly topic: number;
  readonly subject: string;
  readonly name: string;
  seq: number;
  at: number;
  /** As in the file: three values per outcome, the last three are of `seq`. */
  recent: Outcomes;
  /** Its row in the file; 0: none yet. */
  rowId: number;
}

/** `digest, offset, count` of an accepted publish, `digest, code, message` of a refused one; one after the other. */
export type Outcomes = (string | number)[];

/** So many rows are read in some 100 ms when the store is opened after a crash. */
const LAG_ROWS = 32_768;
const UNWRITTEN_MAX = 4096;
/** With 64 outcomes of some 60 bytes: 32 MB at the most. */
const CACHED_MAX = 8192;

export class ProducerTable {
  readonly #outcomesMax: number;
  readonly #select: Statement;
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #insertRefusal: Statement;
  readonly #deleteRefusals: Statement;
  readonly #setProgress: Statement;
  readonly #connection: Connection;
  readonly #cached = new Map<string, Producer>();
  /** Changed since their row was written, with the id of the first change; oldest first. */
  readonly #unwritten = new Map<Producer, number>();
  #writtenThrough = 0;

  constructor(connection: Connection, outcomesMax: number) {
    this.#connection = connection;
    this.#outcomesMax = outcomesMax;
    this.#select = connection.prepare('SELECT id, seq, at, recent FROM producers WHERE topic = ? AND subject = ? AND producer = ?');
    this.#insert = connection.prepare('INSERT INTO producers (topic, subject, producer, seq, at, recent) VALUES (?, ?, ?, ?, ?, ?)');
    this.#update = connection.prepare('UPDATE producers SET seq = ?, at = ?, recent = ? WHERE id = ?');
    this.#insertRefusal = connection.prepare('INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#deleteRefusals = connection.prepare('DELETE FROM refusals WHERE id <= ?');
    this.#setProgress = connection.prepare('UPDATE progress SET producers_through = ?');
  }

  /** The one object for that producer, from memory or the file, or a new one; it stays until `evict` or `reset`. */
  get(topic: number, subject: string, name: string): Producer {
    const key = keyOf(topic, subject, name);
    let producer = this.#cached.get(key);
    if (producer) return producer;
    const row = this.#select.get(topic, subject, name);
    producer = row
      ? {
          topic,
          subject,
          name,
          seq: Number(row['seq']),
          at: Number(row['at']),
          recent: JSON.parse(String(row['recent'])) as Outcomes,
          rowId: Number(row['id']),
        }
      : { topic, subject, name, seq: 0, at: 0, recent: [], rowId: 0 };
    this.#cached.set(key, producer);
    return producer;
  }

  /** The memory of a producer, or `undefined` where nothing was ever decided. Not inside a transaction. */
  columns(topic: number, subject: string, name: string): ProducerColumns | undefined {
    const { seq, at, recent } = this.get(topic, subject, name);
    this.evict();
    return seq === 0 ? undefined : { seq, at, recent: recent.slice(-this.#outcomesMax * VALUES_PER_OUTCOME) };
  }

  /** Notes an accepted publish whose first log row has `id`. */
  accept(producer: Producer, id: number, seq: number, digest: string, at: number, offset: number, count: number): void {
    this.#note(producer, id, seq, at, digest, offset, count);
  }

  /** Stores a refusal under `id`. */
  refuse(producer: Producer, id: number, seq: number, digest: string, at: number, code: string, message: string): void {
    this.#insertRefusal.run(id, producer.topic, producer.subject, producer.name, seq, digest, at, code, message);
    this.#note(producer, id, seq, at, digest, code, message);
  }

  #note(producer: Producer, id: number, seq: number, at: number, digest: string, second: string | number, third: string | number): void {
    producer.seq = seq;
    producer.at = at;
    const { recent } = producer;
    const surplus = recent.length + VALUES_PER_OUTCOME - this.#outcomesMax * VALUES_PER_OUTCOME;
    if (surplus > 0) recent.splice(0, surplus);
    recent.push(digest, second, third);
    if (!this.#unwritten.has(producer)) this.#unwritten.set(producer, id);
  }

  /** Writes the rows that are due; `lastId` is the newest id given out. */
  writeDue(lastId: number): void {
    for (const [producer, id] of this.#unwritten) {
      if (id > lastId - LAG_ROWS && this.#unwritten.size <= UNWRITTEN_MAX) break;
      this.#write(producer);
    }
    this.#saveProgress(lastId);
  }

  /** Writes the rows of one topic's producers. */
  writeTopic(topic: number, lastId: number): void {
    for (const producer of this.#unwritten.keys()) if (producer.topic === topic) this.#write(producer);
    this.#saveProgress(lastId);
  }

  /** Writes rows until none is left, `countMax` at the most; whether none is left. */
  writeAll(lastId: number, countMax: number = Infinity): boolean {
    let count = 0;
    for (const producer of this.#unwritten.keys()) {
      if (count >= countMax) break;
      this.#write(producer);
      count += 1;
    }
    this.#saveProgress(lastId);
    return this.#unwritten.size === 0;
  }

  #write(producer: Producer): void {
    const { topic, subject, name, seq, at } = producer;
    const recent = JSON.stringify(producer.recent);
    if (producer.rowId === 0) producer.rowId = Number(this.#insert.run(topic, subject, name, seq, at, recent).lastInsertRowid);
    else this.#update.run(seq, at, recent, producer.rowId);
    this.#unwritten.delete(producer);
  }

  #saveProgress(lastId: number): void {
    const [oldest] = this.#unwritten.values();
    const through = oldest === undefined ? lastId : oldest - 1;
    if (through === this.#writtenThrough) return;
    this.#setProgress.run(through);
    this.#deleteRefusals.run(through);
    this.#writtenThrough = through;
  }

  /** Forgets those that `matches`; their rows, if any, are deleted by the caller. */
  forget(matches: (producer: Producer) => boolean): void {
    for (const [key, producer] of this.#cached) {
      if (!matches(producer)) continue;
      this.#cached.delete(key);
      this.#unwritten.delete(producer);
    }
  }

  /** Keeps memory within its bound; to be called between transactions. Evicts those that were loaded first and are written. */
  evict(): void {
    let left = this.#cached.size;
    for (const [key, producer] of this.#cached) {
      if (this.#cached.size <= CACHED_MAX || left === 0) return;
      left -= 1;
      this.#cached.delete(key);
      if (this.#unwritten.has(producer)) this.#cached.set(key, producer);
    }
  }

  /** Builds memory from the file, at opening and after a failed transaction. Returns the newest id in use. */
  recover(): number {
    this.#cached.clear();
    this.#unwritten.clear();
    this.#writtenThrough = Number(this.#connection.prepare('SELECT producers_through AS id FROM progress').get()?.['id']);
    const newest = this.#connection.prepare(
      'SELECT max((SELECT coalesce(max(id), 0) FROM log), (SELECT coalesce(max(id), 0) FROM refusals), ?) AS id',
    );
    const lastId = Number(newest.get(this.#writtenThrough)?.['id']);
    for (const publish of this.#publishesBehind(this.#writtenThrough)) {
      const producer = this.get(publish.topic, publish.subject, publish.producer);
      if (publish.seq <= producer.seq) continue;
      if (publish.seq !== producer.seq + 1) {
        throw new StoreFailure('STORE_CORRUPT', `The log has seq ${publish.seq} of ${publish.producer} behind ${producer.seq}.`);
      }
      this.#note(producer, publish.id, publish.seq, publish.at, ...publish.outcome);
    }
    return lastId;
  }

  /** The publishes behind the mark, in the order of their ids. */
  *#publishesBehind(mark: number): Iterable<Decided> {
    const refusals = this.#connection
      .prepare('SELECT refusals.* FROM refusals JOIN topics ON topics.id = refusals.topic WHERE refusals.id > ? ORDER BY refusals.id')
      .all(mark)
      .map((row) => ({ ...decidedOf(row), outcome: [String(row['digest']), String(row['code']), String(row['message'])] as const }));
    const log = this.#connection.prepare(
      'SELECT log.id, log.topic, log.subject, log.producer, log.seq, log.digest, log.at, log.offset FROM log JOIN topics ON topics.id = log.topic WHERE log.id > ? ORDER BY log.id',
    );
    let publish: { row: Row; count: number } | undefined;
    let next = 0;
    for (const row of log.iterate(mark)) {
      if (row['digest'] === null) {
        // A further entry of the same publish; its first one may lie before the mark, and is written then.
        if (publish) publish.count += 1;
        continue;
      }
      if (publish) yield acceptedOf(publish);
      while (next < refusals.length && refusals[next]!.id < Number(row['id'])) yield refusals[next++]!;
      publish = { row, count: 1 };
    }
    if (publish) yield acceptedOf(publish);
    yield* refusals.slice(next);
  }
}

interface Decided {
  readonly id: number;
  readonly topic: number;
  readonly subject: string;
  readonly producer: string;
  readonly seq: number;
  readonly at: number;
  readonly outcome: readonly [string, string | number, string | number];
}

function decidedOf(row: Row): Omit<Decided, 'outcome'> {
  return {
    id: Number(row['id']),
    topic: Number(row['topic']),
    subject: String(row['subject']),
    producer: String(row['producer']),
    seq: Number(row['seq']),
    at: Number(row['at']),
  };
}

function acceptedOf({ row, count }: { row: Row; count: number }): Decided {
  return { ...decidedOf(row), outcome: [String(row['digest']), Number(row['offset']), count] };
}

/** The lengths keep `a` + `bc` and `ab` + `c` apart. */
function keyOf(topic: number, subject: string, name: string): string {
  return `${topic}:${subject.length}:${subject}${name}`;
}
