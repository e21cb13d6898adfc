/**
 * The connection that reads, without its thread. Each answer comes from one read transaction: the head and the entries of
 * a page are of one moment. It cannot write, so it never takes part in checkpoints.
 */

import type { Head, PageLimits, Payload, Range, Register } from '@holdfast/server';
import type { Connection, Row, Statement } from './driver.ts';
import type { PageColumns } from './messages.ts';
import { headOf, TopicTable } from './topic-table.ts';

export class Reader {
  readonly #connection: Connection;
  readonly #topics: TopicTable;
  #after: Statement;
  #before: Statement;
  readonly #registers: Statement;
  readonly #names: Statement;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#topics = new TopicTable(connection);
    [this.#after, this.#before] = pageStatements(connection);
    this.#registers = connection.prepare('SELECT key, value, revision FROM registers WHERE topic = ? AND revision > ? ORDER BY revision');
    this.#names = connection.prepare('SELECT name FROM topics WHERE name > ? ORDER BY name LIMIT ?');
  }

  read(name: string, range: Range, limits: PageLimits): PageColumns | undefined {
    return this.#transaction(() => {
      const topic = this.#topics.load(name);
      if (!topic) return undefined;
      const countMax = Math.max(0, Math.floor(limits.countMax));
      const rows =
        'after' in range
          ? taken(this.#after.iterate(topic.id, range.after, countMax), limits.bytesMax)
          : taken(this.#before.iterate(topic.id, range.before, countMax), limits.bytesMax).reverse();
      return { ...headOf(topic), ...columnsOf(rows) };
    });
  }

  registers(name: string, afterRevision: number): Register[] {
    return this.#transaction(() => {
      const topic = this.#topics.load(name);
      if (!topic) return [];
      const rows = this.#registers.all(topic.id, afterRevision);
      return rows.map((row) => ({ key: String(row['key']), value: String(row['value']), revision: Number(row['revision']) }));
    });
  }

  topics(after: string | undefined, countMax: number): ({ readonly topic: string } & Head)[] {
    return this.#transaction(() => {
      // Every name is longer than the empty text.
      const names = this.#names.all(after ?? '', Math.max(0, countMax)).map((row) => String(row['name']));
      return names.map((topic) => ({ topic, ...headOf(this.#topics.load(topic)!) }));
    });
  }

  #transaction<Result>(query: () => Result): Result {
    this.#connection.exec('BEGIN');
    try {
      return query();
    } catch (error) {
      // An iterator of node:sqlite that failed fails once more, with the same error, when its statement is used next.
      [this.#after, this.#before] = pageStatements(this.#connection);
      throw error;
    } finally {
      this.#connection.exec('COMMIT');
    }
  }
}

function pageStatements(connection: Connection): [after: Statement, before: Statement] {
  const columns = 'offset, at, subject, producer, seq, payload';
  return [
    connection.prepare(`SELECT ${columns} FROM log WHERE topic = ? AND offset > ? ORDER BY offset LIMIT ?`),
    connection.prepare(`SELECT ${columns} FROM log WHERE topic = ? AND offset < ? ORDER BY offset DESC LIMIT ?`),
  ];
}

/** The rows that fit, the first one in any case. */
function taken(rows: Iterable<Row>, bytesMax: number): Row[] {
  const fitting: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    const payload = payloadOf(row);
    bytes += typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength;
    if (bytes > bytesMax && fitting.length > 0) break;
    fitting.push(row);
  }
  return fitting;
}

function columnsOf(rows: readonly Row[]): Omit<PageColumns, keyof Head> {
  return {
    firstOffset: Number(rows[0]?.['offset'] ?? 0),
    at: rows.map((row) => Number(row['at'])),
    producers: rows.map((row) => String(row['producer'])),
    seqs: rows.map((row) => Number(row['seq'])),
    from: rows.map((row) => String(row['subject'])),
    payloads: rows.map((row) => payloadOf(row)),
  };
}

function payloadOf(row: Row): Payload {
  const payload = row['payload'];
  if (typeof payload === 'string' || payload instanceof Uint8Array) return payload;
  throw new Error(`A payload is ${typeof payload}.`);
}
