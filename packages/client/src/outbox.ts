/**
 * The outbox port: where a client keeps what it published and has not seen acknowledged (PROTOCOL.md HF-6.12). One record
 * holds the client's name, the producers with their next seqs, and the rows; it changes atomically and has one owner.
 */

import type { Data } from '@holdfast/wire';

/** Who the record belongs to. `subject`: of the last `welcome`. */
export interface OutboxIdentity {
  readonly client: string;
  readonly subject?: string;
}

/** One producer of one subject in one topic. Names are never used twice, so a lost record can do no harm. */
export interface ProducerRecord {
  readonly topic: string;
  readonly subject: string;
  readonly producer: string;
  /** The seq that the next row gets, from 1. */
  readonly nextSeq: number;
  /** The log's epoch as the last acknowledgement said. */
  readonly epoch?: string;
  /** When a row last got a seq, wall clock ms; a producer silent for long is dropped. */
  readonly at: number;
  /** When seq 1 was given out, wall clock ms; missing until then. */
  readonly firstAt?: number;
}

/** One publish. With `producer` and `seq` it may have been sent; without it never was. */
export interface RowRecord {
  /** Ascending in the order of publishing; unique in the record. */
  readonly id: number;
  readonly topic: string;
  /** Whose it is; missing if nobody was ever known with this record. */
  readonly subject?: string;
  readonly items: readonly Data[];
  /** When it was published, wall clock ms. */
  readonly at: number;
  readonly ifHead?: number;
  /** Wall clock ms; acts only before the first transmission. */
  readonly expiresAtMs?: number;
  readonly producer?: string;
  readonly seq?: number;
  /** The epoch that it was first sent for (HF-6.8). */
  readonly epoch?: string;
  /** Sent, and it cannot be learnt what became of it (HF-6.10). */
  readonly isUncertain?: boolean;
}

export interface OutboxRecord {
  readonly identity: OutboxIdentity | undefined;
  readonly producers: readonly ProducerRecord[];
  /** Ascending by id. */
  readonly rows: readonly RowRecord[];
}

/** What one `apply` makes durable: all of it or nothing. Puts replace what has the same key. */
export interface OutboxChanges {
  readonly identity?: OutboxIdentity;
  /** Key: subject, topic and producer. */
  readonly producers?: readonly ProducerRecord[];
  readonly producersGone?: readonly ProducerRecord[];
  /** Key: id. */
  readonly rows?: readonly RowRecord[];
  readonly rowsGone?: readonly number[];
}

/** Who takes over what another owner has left. */
export interface OutboxHeir {
  /** The first of so many row ids in a row that nothing else gets; `undefined`: nothing is taken over any more. */
  reserveIds(count: number): number | undefined;
  /** They belong to this record by now, durably, the rows under the reserved ids. */
  adopted(left: Pick<OutboxRecord, 'producers' | 'rows'>): void;
}

/**
 * Where the record lives. Memory, IndexedDB and file implement it; one list of tests holds for all of them. Calls are
 * carried out in their order. Payloads come back as they were put, byte for byte; nobody changes them.
 */
export interface OutboxStore {
  /** Whether the record outlives the process. */
  readonly isPersistent: boolean;
  /**
   * Takes ownership and reads the record. Rejects with `STORE_UNAVAILABLE` if another owner is alive. After a rejection it
   * owns nothing and may be called again; it is, unless the error is a `HoldfastError` that is not `retryable`.
   */
  load(): Promise<OutboxRecord>;
  /** Only in stores with several records: from now on, until `close`, takes over those whose owner is gone. Called once, after `load`. */
  watch?(heir: OutboxHeir): void;
  /** Durable when it resolves. A rejection leaves it open whether anything was stored; the same changes may come again. */
  apply(changes: OutboxChanges): Promise<void>;
  /** Finishes what was handed in and gives up ownership. Idempotent. */
  close(): Promise<void>;
}

/** The key of a producer in a record. */
export function producerKey({ subject, topic, producer }: Pick<ProducerRecord, 'subject' | 'topic' | 'producer'>): string {
  // A topic and a producer hold no space; a subject may.
  return `${producer} ${topic} ${subject}`;
}
