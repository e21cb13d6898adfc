/**
 * Topics and their heads. The writer keeps the heads of the topics in use in memory, so that placing an entry costs no
 * query; the reader asks anew in each of its transactions. Only the writer changes them, and only this process has one.
 */

import type { Head } from '@holdfast/server';
import type { Connection, Statement } from './driver.ts';

/** One topic as the writer knows it. `id` is its number in the file. */
export interface Topic {
  readonly id: number;
  readonly epoch: string;
  /** The highest offset that was trimmed away. */
  cut: number;
  last: number;
  revision: number;
  /** `bytes_through` of the last entry. */
  bytes: number;
}

/** A head takes some 200 bytes: 10 MB at the most. */
const CACHED_MAX = 50_000;

export class TopicTable {
  readonly #byName: Statement;
  readonly #lastEntry: Statement;
  readonly #lastRevision: Statement;
  readonly #cached = new Map<string, Topic>();

  constructor(connection: Connection) {
    this.#byName = connection.prepare('SELECT id, epoch, cut FROM topics WHERE name = ?');
    this.#lastEntry = connection.prepare('SELECT offset, bytes_through FROM log WHERE topic = ? ORDER BY offset DESC LIMIT 1');
    this.#lastRevision = connection.prepare('SELECT max(revision) AS revision FROM registers WHERE topic = ?');
  }

  /** As the file has it now. */
  load(name: string): Topic | undefined {
    const row = this.#byName.get(name);
    if (!row) return undefined;
    const id = Number(row['id']);
    const cut = Number(row['cut']);
    const entry = this.#lastEntry.get(id);
    const revision = Number(this.#lastRevision.get(id)?.['revision'] ?? 0);
    return {
      id,
      epoch: String(row['epoch']),
      cut,
      last: Number(entry?.['offset'] ?? cut),
      revision,
      bytes: Number(entry?.['bytes_through'] ?? 0),
    };
  }

  /** From memory where it is there. What is handed out stays the one object for that topic until `forget` or `reset`. */
  get(name: string): Topic | undefined {
    const cached = this.#cached.get(name);
    if (cached) return cached;
    const topic = this.load(name);
    if (topic) this.#cached.set(name, topic);
    return topic;
  }

  add(name: string, topic: Topic): void {
    this.#cached.set(name, topic);
  }

  forget(name: string): void {
    this.#cached.delete(name);
  }

  /** After a failed transaction: the file is right, memory may not be. */
  reset(): void {
    this.#cached.clear();
  }

  /** Keeps memory within its bound; to be called between transactions. Evicts those that were loaded first. */
  evict(): void {
    for (const name of this.#cached.keys()) {
      if (this.#cached.size <= CACHED_MAX) return;
      this.#cached.delete(name);
    }
  }
}

export function headOf({ epoch, cut, last, revision }: Topic): Head {
  return { epoch, first: cut + 1, last, revision };
}
