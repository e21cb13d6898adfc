/**
 * What takes long, in short steps: trimming, removing, expiring, shrinking the file. Each is a generator that ends a step
 * with `yield`; between two steps the writer commits what publishers wait for. Each step is a transaction of its own and
 * leaves the store as it may be seen: a trim cut short has trimmed less, a removal cut short goes on at the next opening.
 */

import type { Head, Retention } from '@holdfast/server';
import type { Connection, Statement } from './driver.ts';
import { valueOf } from './schema.ts';
import { headOf, type Topic } from './topic-table.ts';
import type { Writer } from './writer.ts';

/** A piece of long work. What it returns is the answer. */
export type Task<Result> = Generator<undefined, Result, undefined>;

/** Rows deleted in a step: they lie on as many pages, which takes about as long to commit as a batch of that size. */
const STEP_ROWS = 500;
/** Free pages moved in a step: 1 MB. */
const STEP_PAGES = 256;
/** The file is shrunk when more than this share of it is free: below that, new entries use the space up anyway. */
const FREE_SHARE_MAX = 0.25;

export class Maintenance {
  readonly #writer: Writer;
  readonly #connection: Connection;
  readonly #deleteEntries: Statement;
  readonly #setCut: Statement;
  readonly #bytesThrough: Statement;
  readonly #firstYoung: Statement;

  constructor(writer: Writer) {
    this.#writer = writer;
    this.#connection = writer.connection;
    this.#deleteEntries = this.#connection.prepare('DELETE FROM log WHERE topic = ? AND offset > ? AND offset <= ?');
    this.#setCut = this.#connection.prepare('UPDATE topics SET cut = ? WHERE id = ?');
    this.#bytesThrough = this.#connection.prepare('SELECT bytes_through FROM log WHERE topic = ? AND offset = ?');
    this.#firstYoung = this.#connection.prepare(
      'SELECT min(offset) AS offset FROM log WHERE topic = ? AND offset > ? AND offset <= ? AND at >= ?',
    );
  }

  *trim(name: string, keep: Retention): Task<Head | undefined> {
    const { topics } = this.#writer;
    const begun = topics.get(name);
    if (!begun) return undefined;
    const target = Math.max(begun.last - (keep.countMax ?? Infinity), this.#cutForBytes(begun, keep.bytesMax));
    for (;;) {
      const topic = topics.get(name);
      // Removed in the meantime, and perhaps founded anew: nothing of that one is condemned.
      if (topic?.id !== begun.id) return topic && headOf(topic);
      const cut = this.#nextCut(topic, target, keep.atMin);
      if (cut <= topic.cut) return headOf(topic);
      this.#writer.transaction(() => {
        this.#writer.producers.writeTopic(topic.id, this.#writer.lastId);
        this.#deleteEntries.run(topic.id, topic.cut, cut);
        this.#setCut.run(cut, topic.id);
        topic.cut = cut;
      });
      yield;
    }
  }

  /** Where the next step's cut lies: up to `target` for its own sake, beyond it up to the first entry that is young enough. */
  #nextCut(topic: Topic, target: number, atMin: number | undefined): number {
    const end = Math.min(topic.cut + STEP_ROWS, topic.last);
    if (target >= end) return end;
    const condemned = Math.max(topic.cut, target);
    if (atMin === undefined) return condemned;
    const young = this.#firstYoung.get(topic.id, condemned, end, atMin)?.['offset'];
    return young === null || young === undefined ? end : Number(young) - 1;
  }

  /** The lowest cut behind which no more than `bytesMax` bytes remain; found by halving, as `bytes_through` only grows. */
  #cutForBytes(topic: Topic, bytesMax: number | undefined): number {
    if (bytesMax === undefined || topic.cut === topic.last) return topic.cut;
    const first = this.#connection.prepare(
      'SELECT bytes_through - length(CAST(payload AS BLOB)) AS bytes FROM log WHERE topic = ? AND offset = ?',
    );
    if (topic.bytes - Number(first.get(topic.id, topic.cut + 1)?.['bytes']) <= bytesMax) return topic.cut;
    let [low, high] = [topic.cut + 1, topic.last];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (topic.bytes - Number(this.#bytesThrough.get(topic.id, middle)?.['bytes_through']) <= bytesMax) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The name is free at once; the rows go step by step. */
  *remove(name: string): Task<undefined> {
    const topic = this.#writer.topics.get(name);
    if (!topic) return;
    this.#writer.transaction(() => {
      this.#connection.prepare('INSERT INTO removals VALUES (?)').run(topic.id);
      this.#connection.prepare('DELETE FROM topics WHERE id = ?').run(topic.id);
    });
    this.#writer.topics.forget(name);
    this.#writer.producers.forget((producer) => producer.topic === topic.id);
    yield;
    yield* this.#sweep(topic.id);
  }

  /** Goes on with removals that the last process did not finish. */
  *finishRemovals(): Task<undefined> {
    for (const row of this.#connection.prepare('SELECT topic FROM removals').all()) yield* this.#sweep(Number(row['topic']));
  }

  *#sweep(topic: number): Task<undefined> {
    const tables = [
      `log WHERE id IN (SELECT id FROM log WHERE topic = ? LIMIT ${STEP_ROWS})`,
      `producers WHERE id IN (SELECT id FROM producers WHERE topic = ? LIMIT ${STEP_ROWS})`,
      'registers WHERE topic = ?',
      'refusals WHERE topic = ?',
    ];
    for (const table of tables) {
      const statement = this.#connection.prepare(`DELETE FROM ${table}`);
      while (Number(this.#writer.transaction(() => statement.run(topic)).changes) > 0) yield;
    }
    this.#writer.transaction(() => this.#connection.prepare('DELETE FROM removals WHERE topic = ?').run(topic));
    yield;
  }

  /** Counts as it goes; a producer that publishes again before its turn has come stays. */
  *expireProducers(at: number): Task<number> {
    const { producers } = this.#writer;
    // Every row must be up to date before one is judged, and no log row may bring a forgotten producer back at the next opening.
    while (!this.#writer.transaction(() => producers.writeAll(this.#writer.lastId, STEP_ROWS))) yield;
    const statement = this.#connection.prepare('DELETE FROM producers WHERE id > ? AND id <= ? AND at < ?');
    let expiredCount = 0;
    for (let id = 0; id < Number(valueOf(this.#connection, 'SELECT coalesce(max(id), 0) FROM producers')); id += STEP_ROWS) {
      expiredCount += this.#writer.transaction(() => {
        producers.writeAll(this.#writer.lastId);
        return Number(statement.run(id, id + STEP_ROWS, at).changes);
      });
      producers.forget((producer) => producer.rowId > id && producer.rowId <= id + STEP_ROWS && producer.at < at);
      yield;
    }
    return expiredCount;
  }

  /** Gives free pages back to the file system once they are many. */
  *shrink(): Task<undefined> {
    const pages = Number(valueOf(this.#connection, 'PRAGMA page_count'));
    const free = (): number => Number(valueOf(this.#connection, 'PRAGMA freelist_count'));
    if (free() < STEP_PAGES || free() < pages * FREE_SHARE_MAX) return;
    while (free() > 0) {
      this.#connection.exec(`PRAGMA incremental_vacuum(${STEP_PAGES})`);
      yield;
    }
  }
}
