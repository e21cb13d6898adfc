/**
 * Reads and writes the outbox store: what changes while one write is under way goes into the next, as one. A store that
 * fails is tried again with growing waits; until then nothing is durable, so nothing is sent.
 */

import { backoffDelayMs, HoldfastError, type BackoffOptions } from '@holdfast/wire';
import type { Clock } from './clock.ts';
import { Deferred } from './deferred.ts';
import {
  producerKey,
  type OutboxChanges,
  type OutboxIdentity,
  type OutboxRecord,
  type OutboxStore,
  type ProducerRecord,
  type RowRecord,
} from './outbox.ts';
import { Pause } from './pause.ts';
import type { Random } from './random.ts';

const RETRY: BackoffOptions = { baseMs: 100, capMs: 10_000 };

export interface OutboxWriterOptions {
  readonly store: OutboxStore;
  readonly clock: Clock;
  readonly random: Random;
  /** The store failed (and is tried again), or works again (`undefined`). */
  readonly onTrouble: (error: unknown) => void;
}

/** Changes by key, the newest of each. */
class Batch {
  identity: OutboxIdentity | undefined;
  readonly producers = new Map<string, { readonly record: ProducerRecord; readonly isGone: boolean }>();
  readonly rows = new Map<number, RowRecord | undefined>();
  readonly done = new Deferred<void>();

  changes(): OutboxChanges {
    const producers = [...this.producers.values()];
    return {
      ...(this.identity === undefined ? {} : { identity: this.identity }),
      producers: producers.filter(({ isGone }) => !isGone).map(({ record }) => record),
      producersGone: producers.filter(({ isGone }) => isGone).map(({ record }) => record),
      rows: [...this.rows.values()].filter((row) => row !== undefined),
      rowsGone: [...this.rows].filter(([, row]) => row === undefined).map(([id]) => id),
    };
  }
}

export class OutboxWriter {
  readonly #options: OutboxWriterOptions;
  readonly #pause: Pause;
  #open: Batch = new Batch();
  #isDirty = false;
  #isWriting = false;
  #isStopped = false;
  #isTroubled = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: OutboxWriterOptions) {
    this.#options = options;
    this.#pause = new Pause(options.clock);
  }

  /** When a store that failed is tried again, wall clock ms; while it waits for that. */
  get retryAtMs(): number | undefined {
    return this.#pause.untilMs;
  }

  /** Tries a store that failed again now. */
  retryNow(): void {
    this.#pause.end();
  }

  /** Takes the record, however long that takes. Rejects with an error that is not `retryable`, or after `stop`. */
  load(): Promise<OutboxRecord> {
    const isFinal = (error: unknown): boolean => error instanceof HoldfastError && !error.retryable;
    return this.#insist(() => this.#options.store.load(), isFinal);
  }

  /** Resolves when what was put up to now is durable. Never rejects; after `stop` it may never resolve. */
  durable(): Promise<void> {
    return this.#open.done.promise;
  }

  putIdentity(identity: OutboxIdentity): void {
    this.#open.identity = identity;
    this.#begin();
  }

  putProducer(record: ProducerRecord): void {
    this.#open.producers.set(producerKey(record), { record, isGone: false });
    this.#begin();
  }

  removeProducer(record: ProducerRecord): void {
    this.#open.producers.set(producerKey(record), { record, isGone: true });
    this.#begin();
  }

  putRow(row: RowRecord): void {
    this.#open.rows.set(row.id, row);
    this.#begin();
  }

  removeRow(id: number): void {
    this.#open.rows.set(id, undefined);
    this.#begin();
  }

  /** Writes what is left, without trying a failing store again; says whether everything is durable. */
  async stop(): Promise<boolean> {
    this.#isStopped = true;
    this.#pause.end();
    await this.#running;
    return !this.#isDirty && !this.#isTroubled;
  }

  #begin(): void {
    this.#isDirty = true;
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    // Lets the rest of this turn's changes into the same write.
    await Promise.resolve();
    while (this.#isDirty) {
      const batch = this.#open;
      this.#open = new Batch();
      this.#isDirty = false;
      const changes = batch.changes();
      const isWritten = await this.#insist(
        () => this.#options.store.apply(changes),
        () => false,
      ).then(
        () => true,
        () => false,
      );
      if (!isWritten) break;
      batch.done.resolve();
    }
    this.#isWriting = false;
  }

  /** Does it until it succeeds. Rejects with a failure that is final, or the first one after `stop`. */
  async #insist<T>(task: () => Promise<T>, isFinal: (error: unknown) => boolean): Promise<T> {
    const { random, onTrouble } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        const value = await task();
        if (this.#isTroubled) onTrouble(undefined);
        this.#isTroubled = false;
        return value;
      } catch (error) {
        this.#isTroubled = true;
        onTrouble(error);
        if (this.#isStopped || isFinal(error)) throw error;
      }
      await this.#pause.wait(backoffDelayMs(attempt, 0, random(), RETRY));
    }
  }
}
