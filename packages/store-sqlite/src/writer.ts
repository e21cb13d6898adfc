/**
 * The one connection that writes, without its thread: checks batches, stores them, and gives heads and outcomes from
 * memory. Memory always equals what is committed: it is changed inside a transaction only, and thrown away and read anew
 * when one fails.
 */

import type { Connection, Statement } from './driver.ts';
import { failureOf, isSyncFailure, type Failure } from './failure.ts';
import { NUMBERS_PER_PUBLISH, type BatchColumns } from './messages.ts';
import { ProducerTable, type Producer } from './producer-table.ts';
import { TopicTable, type Topic } from './topic-table.ts';

export interface WriterOptions {
  readonly path: string;
  readonly outcomesMax: number;
  readonly commitDelayMs: number;
}

/** What became of one batch of a group: stored, or why not. `isCommit`: the disk refused it, not the check. */
export type Applied = { readonly failure?: undefined } | { readonly failure: Failure; readonly isCommit: boolean };

export class Writer {
  readonly connection: Connection;
  readonly topics: TopicTable;
  readonly producers: ProducerTable;
  readonly #options: WriterOptions;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #insertTopic: Statement;
  readonly #insertEntry: Statement;
  readonly #upsertRegister: Statement;
  /** The newest id in log and refusals. */
  #lastId: number;
  /** Set when a sync failed or the file could not be read after a failure: nothing is written any more. */
  #stopped: Error | undefined;

  constructor(connection: Connection, options: WriterOptions) {
    this.connection = connection;
    this.#options = options;
    this.topics = new TopicTable(connection);
    this.producers = new ProducerTable(connection, options.outcomesMax);
    this.#begin = connection.prepare('BEGIN IMMEDIATE');
    this.#commit = connection.prepare('COMMIT');
    this.#insertTopic = connection.prepare('INSERT INTO topics (name, epoch, cut) VALUES (?, ?, 0)');
    this.#insertEntry = connection.prepare('INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#upsertRegister = connection.prepare(
      'INSERT INTO registers VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, revision = excluded.revision',
    );
    this.#lastId = this.producers.recover();
  }

  get lastId(): number {
    return this.#lastId;
  }

  /**
   * Stores batches in one transaction, each whole or not at all. If the disk refuses that, each is tried by itself, and
   * what lies behind the first that fails fails with it: it was decided on top of it (HF-6.14).
   */
  apply(batches: readonly BatchColumns[]): Applied[] {
    try {
      return this.transaction(() => batches.map((batch) => this.#applyOne(batch)));
    } catch (error) {
      if (batches.length === 1 || this.#stopped !== undefined) {
        const failure = failureOf(error, this.#options.path);
        return batches.map(() => ({ failure, isCommit: true }));
      }
    }
    const results: Applied[] = [];
    for (const batch of batches) {
      const before = results.at(-1);
      results.push(before?.failure && before.isCommit ? before : this.#applyAlone(batch));
    }
    return results;
  }

  #applyAlone(batch: BatchColumns): Applied {
    try {
      return this.transaction(() => this.#applyOne(batch));
    } catch (error) {
      return { failure: failureOf(error, this.#options.path), isCommit: true };
    }
  }

  /** Carries out `change` as one transaction. If anything throws, nothing of it is stored and memory is read anew. */
  transaction<Result>(change: () => Result): Result {
    if (this.#stopped !== undefined) throw this.#stopped;
    try {
      this.#begin.run();
      const result = change();
      this.#commit.run();
      if (this.#options.commitDelayMs > 0) blockFor(this.#options.commitDelayMs);
      this.topics.evict();
      this.producers.evict();
      return result;
    } catch (error) {
      if (isSyncFailure(error)) this.#stopped = error as Error;
      this.#rollBack();
      throw error;
    }
  }

  /** Writes what is still kept back and closes the file. */
  close(): void {
    try {
      this.transaction(() => this.producers.writeAll(this.#lastId));
    } catch {
      // The next opening reads it from the log.
    }
    this.connection.close();
  }

  #rollBack(): void {
    try {
      this.connection.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself, or BEGIN was what failed.
    }
    this.topics.reset();
    try {
      this.#lastId = this.producers.recover();
    } catch (error) {
      // The file cannot be read either: what is in memory must not be trusted.
      this.#stopped = error as Error;
    }
  }

  #applyOne(batch: BatchColumns): Applied {
    const checked = this.#check(batch);
    if (typeof checked === 'string') return { failure: { message: `A batch is not dense: ${checked}.` }, isCommit: false };
    this.#store(batch, checked);
    return {};
  }

  /** What the batch stands on, or what is wrong with it. Changes nothing. */
  #check(batch: BatchColumns): Checked | string {
    const founded = new Map<string, Founded>();
    for (let index = 0; index < batch.found.length; index += 2) {
      const name = batch.found[index]!;
      if (founded.has(name) || this.topics.get(name)) return `the topic ${name} is founded twice`;
      founded.set(name, { epoch: batch.found[index + 1]! });
    }
    const lasts = new Map<Topic | Founded, number>();
    const seqs = new Map<Producer | string, number>();
    const places: (Place | undefined)[] = [];
    for (let index = 0; index < batch.topics.length; index += 1) {
      const name = batch.topics[index]!;
      const topic = this.topics.get(name);
      const inBatch = topic ?? founded.get(name);
      if (!inBatch) return `the topic ${name} was never founded`;
      const seq = batch.numbers[index * NUMBERS_PER_PUBLISH]!;
      const offset = batch.numbers[index * NUMBERS_PER_PUBLISH + 2]!;
      const count = batch.numbers[index * NUMBERS_PER_PUBLISH + 3]!;
      const who = batch.producers[index]!;
      const producer = topic && this.producers.get(topic.id, batch.subjects[index]!, who);
      const key = producer ?? JSON.stringify([name, batch.subjects[index], who]);
      const before = seqs.get(key) ?? producer?.seq ?? 0;
      if (seq !== before + 1) return `seq ${seq} of ${who} in ${name} comes after ${before}`;
      seqs.set(key, seq);
      places.push(topic && producer && { topic, producer });
      if (offset === 0) continue;
      const last = lasts.get(inBatch) ?? topic?.last ?? 0;
      if (offset !== last + 1 || count < 1) return `offset ${offset} in ${name} comes after ${last}`;
      lasts.set(inBatch, last + count);
    }
    const revisions = new Map<string, number>();
    for (const { topic: name, revision } of batch.registers) {
      const topic = this.topics.get(name);
      if (!topic && !founded.has(name)) return `the topic ${name} was never founded`;
      const before = revisions.get(name) ?? topic?.revision ?? 0;
      if (revision !== before + 1) return `revision ${revision} in ${name} comes after ${before}`;
      revisions.set(name, revision);
    }
    return { founded, places };
  }

  #store(batch: BatchColumns, { founded, places }: Checked): void {
    for (const [name, { epoch }] of founded) {
      const id = Number(this.#insertTopic.run(name, epoch).lastInsertRowid);
      this.topics.add(name, { id, epoch, cut: 0, last: 0, revision: 0, bytes: 0 });
    }
    let payload = 0;
    let refusal = 0;
    for (let index = 0; index < batch.topics.length; index += 1) {
      const place = places[index] ?? this.#placeIn(batch, index);
      const seq = batch.numbers[index * NUMBERS_PER_PUBLISH]!;
      const at = batch.numbers[index * NUMBERS_PER_PUBLISH + 1]!;
      const offset = batch.numbers[index * NUMBERS_PER_PUBLISH + 2]!;
      const count = batch.numbers[index * NUMBERS_PER_PUBLISH + 3]!;
      const digest = batch.digests[index]!;
      if (offset === 0) {
        this.producers.refuse(place.producer, (this.#lastId += 1), seq, digest, at, batch.refusals[refusal]!, batch.refusals[refusal + 1]!);
        refusal += 2;
        continue;
      }
      this.producers.accept(place.producer, this.#lastId + 1, seq, digest, at, offset, count);
      for (let entry = 0; entry < count; entry += 1)
        this.#storeEntry(place, seq, at, entry === 0 ? digest : null, batch.payloads[payload++]!);
    }
    for (const { topic: name, key, value, revision } of batch.registers) {
      const topic = this.topics.get(name)!;
      this.#upsertRegister.run(topic.id, key, value, revision);
      topic.revision = revision;
    }
    this.producers.writeDue(this.#lastId);
  }

  #storeEntry({ topic, producer }: Place, seq: number, at: number, digest: string | null, payload: string | Uint8Array): void {
    topic.last += 1;
    topic.bytes += typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength;
    this.#lastId += 1;
    this.#insertEntry.run(this.#lastId, topic.id, topic.last, at, producer.subject, producer.name, seq, digest, topic.bytes, payload);
  }

  /** The place of a publish in a topic that this very batch founded. */
  #placeIn(batch: BatchColumns, index: number): Place {
    const topic = this.topics.get(batch.topics[index]!)!;
    return { topic, producer: this.producers.get(topic.id, batch.subjects[index]!, batch.producers[index]!) };
  }
}

interface Founded {
  readonly epoch: string;
}

interface Place {
  readonly topic: Topic;
  readonly producer: Producer;
}

interface Checked {
  readonly founded: ReadonlyMap<string, Founded>;
  readonly places: readonly (Place | undefined)[];
}

/** Blocks this thread, as a slow disk would. */
function blockFor(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}
