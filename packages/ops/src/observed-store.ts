/** A store that tells how long it took and how much it was given. It changes nothing else: what the store says is what the caller gets. */

import type { Batch, Head, Page, PageLimits, ProducerMemory, Range, Register, Retention, TopicStore } from '@holdfast/server';

/** One call of `apply` that has ended. */
export interface ObservedCommit {
  readonly durationMs: number;
  readonly publishes: number;
  readonly registers: number;
  /** What it was rejected with. */
  readonly error?: unknown;
}

/** One call of `read` that has ended. */
export interface ObservedRead {
  readonly durationMs: number;
  readonly entries: number;
  readonly error?: unknown;
}

/** Must not throw. */
export interface StoreObserver {
  readonly onCommit?: (commit: ObservedCommit) => void;
  readonly onRead?: (read: ObservedRead) => void;
}

/** A store that more observers can be added to, for as long as it lives. */
export interface ObservedStore extends TopicStore {
  observe(observer: StoreObserver): void;
}

/** `store`, observed. Hand the result to the hub, and to `createMetrics`. Closing it closes `store`. */
export function observeStore(store: TopicStore, observer: StoreObserver = {}): ObservedStore {
  return new Observed(store, observer);
}

class Observed implements ObservedStore {
  readonly durability: TopicStore['durability'];
  readonly outcomesMax: number;
  readonly #store: TopicStore;
  readonly #observers: StoreObserver[];

  constructor(store: TopicStore, observer: StoreObserver) {
    this.#store = store;
    this.#observers = [observer];
    this.durability = store.durability;
    this.outcomesMax = store.outcomesMax;
  }

  observe(observer: StoreObserver): void {
    this.#observers.push(observer);
  }

  apply(batch: Batch): Promise<void> {
    const began = performance.now();
    const [publishes, registers] = [batch.publishes.length, batch.registers.length];
    const tell = (failure: { readonly error?: unknown }): void => {
      const commit = { durationMs: performance.now() - began, publishes, registers, ...failure };
      for (const { onCommit } of this.#observers) onCommit?.(commit);
    };
    const applied = this.#store.apply(batch);
    applied.then(
      () => tell({}),
      (error: unknown) => tell({ error }),
    );
    return applied;
  }

  read(topic: string, range: Range, limits: PageLimits): Promise<Page | undefined> {
    const began = performance.now();
    const tell = (entries: number, failure: { readonly error?: unknown }): void => {
      for (const { onRead } of this.#observers) onRead?.({ durationMs: performance.now() - began, entries, ...failure });
    };
    const reading = this.#store.read(topic, range, limits);
    reading.then(
      (page) => tell(page?.entries.length ?? 0, {}),
      (error: unknown) => tell(0, { error }),
    );
    return reading;
  }

  head(topic: string): Promise<Head | undefined> {
    return this.#store.head(topic);
  }

  outcomes(topic: string, subject: string, producer: string): Promise<ProducerMemory | undefined> {
    return this.#store.outcomes(topic, subject, producer);
  }

  registers(topic: string, afterRevision: number): Promise<readonly Register[]> {
    return this.#store.registers(topic, afterRevision);
  }

  topics(after: string | undefined, countMax: number): ReturnType<TopicStore['topics']> {
    return this.#store.topics(after, countMax);
  }

  trim(topic: string, keep: Retention): Promise<Head | undefined> {
    return this.#store.trim(topic, keep);
  }

  remove(topic: string): Promise<void> {
    return this.#store.remove(topic);
  }

  expireProducers(at: number): Promise<number> {
    return this.#store.expireProducers(at);
  }

  backup(path: string): Promise<void> {
    return this.#store.backup(path);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
