/**
 * What the main thread and the workers say to each other. Structured clone copies every message, and costs by the object,
 * not by the byte: batches and pages cross as columns, which is a third of the cost of cloning them as they are (measured:
 * 0.15 against 0.49 µs per entry to send, 0.17 against 0.93 to receive).
 */

import type { Head, Payload, PageLimits, Range, Retention } from '@holdfast/server';
import type { DriverName } from './driver.ts';
import type { Failure } from './failure.ts';

/** A `Batch`, publish by publish: `NUMBERS_PER_PUBLISH` numbers each, the strings in arrays of their own. */
export interface BatchColumns {
  /** Topic, epoch, topic, epoch, ... */
  readonly found: readonly string[];
  readonly topics: readonly string[];
  readonly subjects: readonly string[];
  readonly producers: readonly string[];
  readonly digests: readonly string[];
  /** seq, at, offset (0: refused), count, ... */
  readonly numbers: Float64Array;
  /** Code, message, code, message, ... of the refused ones. */
  readonly refusals: readonly string[];
  readonly payloads: readonly Payload[];
  readonly registers: readonly { readonly topic: string; readonly key: string; readonly value: string; readonly revision: number }[];
}

export const NUMBERS_PER_PUBLISH = 4;

/** A `Page`, entry by entry; the offsets are dense from `firstOffset`. */
export interface PageColumns extends Head {
  readonly firstOffset: number;
  readonly at: readonly number[];
  readonly producers: readonly string[];
  readonly seqs: readonly number[];
  readonly from: readonly string[];
  readonly payloads: readonly Payload[];
}

/** A producer's memory as the file has it: `recent` holds three values per outcome. */
export interface ProducerColumns {
  readonly seq: number;
  readonly at: number;
  readonly recent: readonly (string | number)[];
}

export const VALUES_PER_OUTCOME = 3;

/** What the worker that writes is asked. `failureCount`: how many failed commits the caller knew of when it asked. */
export type WriterCall =
  | { readonly kind: 'apply'; readonly batch: BatchColumns; readonly failureCount: number }
  | { readonly kind: 'head'; readonly topic: string }
  | { readonly kind: 'outcomes'; readonly topic: string; readonly subject: string; readonly producer: string }
  | { readonly kind: 'trim'; readonly topic: string; readonly keep: Retention }
  | { readonly kind: 'remove'; readonly topic: string }
  | { readonly kind: 'expire'; readonly at: number }
  | { readonly kind: 'close' };

/** What the worker that reads is asked. */
export type ReaderCall =
  | { readonly kind: 'read'; readonly topic: string; readonly range: Range; readonly limits: PageLimits }
  | { readonly kind: 'registers'; readonly topic: string; readonly afterRevision: number }
  | { readonly kind: 'topics'; readonly after: string | undefined; readonly countMax: number }
  | { readonly kind: 'close' };

export type Numbered<Call> = Call & { readonly id: number };

/** One answer; a worker posts arrays of them. */
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: Failure;
  /** With the failure of a commit: how many there were so far. */
  readonly failureCount?: number;
}

/** What a worker is for, given to it as `workerData`. */
export type WorkerTask =
  | ({ readonly role: 'writer' } & WriterTask)
  | { readonly role: 'reader'; readonly path: string; readonly driver: DriverName }
  | { readonly role: 'backup'; readonly path: string; readonly driver: DriverName; readonly to: string }
  | {
      readonly role: 'restore';
      readonly from: string;
      readonly path: string;
      readonly driver: DriverName | undefined;
      readonly replace: boolean;
      readonly epochPrefix: string;
    };

export interface WriterTask {
  readonly path: string;
  readonly driver: DriverName | undefined;
  readonly outcomesMax: number;
  readonly synchronous: 'full' | 'normal';
  readonly commitDelayMs: number;
  readonly fileBytesMax: number | undefined;
}

/** The answer with id 0, posted when a worker is ready (or has done its one thing). */
export interface Ready {
  readonly driver: DriverName;
  readonly sqliteVersion: string;
  /** After a restoration: where the store that was there has gone. */
  readonly replaced?: string;
}
