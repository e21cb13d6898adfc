/**
 * The store port: where a node keeps its topics. Two implementations exist: memory (`store-memory.ts`, the reference)
 * and SQLite (`@holdfast/store-sqlite`); `@holdfast/server/conformance` holds what every one of them must pass.
 *
 * The sequencer decides everything (offsets, outcomes, epochs, revisions); a store only keeps it and gives it back. It
 * never learns of connections, subscriptions or rights. All offsets are dense per topic and start at 1.
 */

/** What an entry carries: JSON as its text, or raw bytes. A store keeps both unchanged, byte for byte. */
export type Payload = string | Uint8Array;

/** One record of a topic's log. `offset` is dense from 1 within an epoch; `at` is the server's wall clock in ms. */
export interface Entry {
  readonly offset: number;
  readonly producer: string;
  readonly seq: number;
  /** The authenticated subject that published it. */
  readonly from: string;
  readonly at: number;
  readonly payload: Payload;
}

/** What became of one publish. A refusal is terminal and spends its seq just as an acceptance does (HF-6.4). */
export type Outcome =
  | { readonly kind: 'accepted'; readonly offset: number; readonly count: number }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

/** A decided publish: its outcome and, when it was accepted, the payloads at `offset, offset + 1, ...`. */
export interface DecidedPublish {
  readonly topic: string;
  readonly subject: string;
  readonly producer: string;
  readonly seq: number;
  /** A digest of the payload: tells a resend from another message under the same seq (HF-6.5). */
  readonly digest: string;
  readonly at: number;
  readonly outcome: Outcome;
  /** As many as `outcome.count`; empty for a refusal. */
  readonly payloads: readonly Payload[];
}

/** The new value of one register. Revisions are dense per topic, from 1, and live beside the offsets. */
export interface Register {
  readonly key: string;
  /** JSON text. */
  readonly value: string;
  readonly revision: number;
}

/**
 * What one call of `apply` makes durable: all of it or nothing. Within a batch the order is: `found`, then `publishes`
 * and `registers` each in array order. A topic appears in `found` before anything else of it is stored.
 */
export interface Batch {
  readonly found: readonly { readonly topic: string; readonly epoch: string }[];
  readonly publishes: readonly DecidedPublish[];
  readonly registers: readonly ({ readonly topic: string } & Register)[];
}

/** Where a topic's log begins and ends. Empty log: `first = last + 1` (a new topic has first 1, last 0). */
export interface Head {
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
  readonly revision: number;
}

/** The memory of one producer in one topic. `recent` holds the last `outcomesMax` outcomes at the most, seq ascending. */
export interface ProducerMemory {
  /** The highest seq decided. */
  readonly seq: number;
  /** Wall clock of the last decided publish, ms. */
  readonly at: number;
  readonly recent: readonly { readonly seq: number; readonly digest: string; readonly outcome: Outcome }[];
}

/** A contiguous piece of a log, offsets ascending whichever way it was read. */
export interface Page extends Head {
  readonly entries: readonly Entry[];
}

/** Bounds of one page. At least one entry is returned where one exists, even if it alone exceeds `bytesMax`. */
export interface PageLimits {
  readonly countMax: number;
  readonly bytesMax: number;
}

/** `after: n` reads n+1, n+2, ... ; `before: n` reads the entries nearest below n. Both clip to what exists. */
export type Range = { readonly after: number } | { readonly before: number };

/** What `trim` keeps: an entry goes when any bound says so. The newest go last; offsets are never reused. */
export interface Retention {
  readonly countMax?: number;
  /** The sum of payload sizes, bytes (UTF-8 for JSON). */
  readonly bytesMax?: number;
  /** Entries with `at` below this wall-clock time (ms) go, up to the first one that is not: no clock set back cuts a hole. */
  readonly atMin?: number;
}

/**
 * A node's topics on its own disk. Calls are carried out in the order in which they were made, as seen by one caller:
 * a `read` made after `apply` resolved sees what it stored. Rejections are `HoldfastError`s: `STORE_READ_ONLY` (full
 * disk; nothing of the batch was stored), `STORE_UNAVAILABLE` (closed or failed; the outcome of a batch is then unknown
 * and the caller must rebuild its picture from the store), `STORE_CORRUPT`; `OVERLOADED` where too much waits for the disk
 * already (nothing of the batch was stored). What was handed in behind a batch that failed to commit fails with it.
 */
export interface TopicStore {
  /** What a resolved `apply` survives: nothing, the process's death, or power loss. */
  readonly durability: 'memory' | 'process' | 'fsync';
  /** How many outcomes are kept per producer and topic: the W of HF-6.3. */
  readonly outcomesMax: number;
  /**
   * Atomic and durable when it resolves. Rejects with an assertion, storing nothing of this batch and disturbing no other,
   * if an offset, revision or seq is not the next one; a producer that is not known begins at seq 1. What is handed in is
   * kept, not copied: payloads must not be changed afterwards.
   */
  apply(batch: Batch): Promise<void>;
  /** `undefined` where the topic was never founded. */
  head(topic: string): Promise<Head | undefined>;
  read(topic: string, range: Range, limits: PageLimits): Promise<Page | undefined>;
  /** What is remembered of a producer; `undefined` if nothing. */
  outcomes(topic: string, subject: string, producer: string): Promise<ProducerMemory | undefined>;
  /** The registers changed after `revision`, newest value of each, in order of revision. */
  registers(topic: string, afterRevision: number): Promise<readonly Register[]>;
  /** Every founded topic with its head, in name order; `after` is exclusive. For maintenance and operators. */
  topics(after: string | undefined, countMax: number): Promise<readonly ({ readonly topic: string } & Head)[]>;
  /** Cuts history; resolves with the new head. */
  trim(topic: string, keep: Retention): Promise<Head | undefined>;
  /** Forgets a topic entirely: entries, registers, producers. A later `found` begins a new epoch. */
  remove(topic: string): Promise<void>;
  /** Forgets producers silent since before `at` (wall clock, ms); resolves with how many (HF-6.9). */
  expireProducers(at: number): Promise<number>;
  /** Writes a consistent copy to `path` while running. */
  backup(path: string): Promise<void>;
  /** Finishes what was handed in, then releases everything. Idempotent. */
  close(): Promise<void>;
}
