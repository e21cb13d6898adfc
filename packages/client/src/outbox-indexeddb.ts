/**
 * The outbox in IndexedDB. Each tab has a *slot* of its own in one database, owned through a Web Lock that ends with the
 * tab, so that two tabs never share one. A tab takes over every slot whose tab is gone, when it starts and as long as it runs:
 * the rows go on under the producers under which they may have been sent. It waits in line for the locks of all slots that it
 * knows of: those in the database when it started, and those that newer tabs announce.
 */

import { HoldfastError } from '@holdfast/wire';
import type { OutboxChanges, OutboxHeir, OutboxIdentity, OutboxRecord, OutboxStore, ProducerRecord, RowRecord } from './outbox.ts';
import { producerKey } from './outbox.ts';
import { randomName, systemRandom } from './random.ts';

/** What is used of `navigator.locks`. */
export interface LockSource {
  /** With `ifAvailable` the callback gets `null` instead of waiting; with `signal` the wait can be given up. */
  request(
    name: string,
    options: { readonly ifAvailable?: true; readonly signal?: AbortSignal },
    callback: (lock: unknown) => unknown,
  ): Promise<unknown>;
}

/** What is used of `BroadcastChannel`. */
export type BroadcastClass = new (name: string) => {
  onmessage: ((event: never) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
};

export interface IndexedDbOutboxOptions {
  /** The database's name; one per application and server. Default `holdfast-outbox`. */
  readonly name?: string;
  /** Default: the platform's. */
  readonly indexedDB?: IDBFactory | undefined;
  /** Default: `navigator.locks`. */
  readonly locks?: LockSource | undefined;
  /** By which tabs hear of newer ones. Default: the platform's; without one a tab takes over after older ones only. */
  readonly BroadcastChannel?: BroadcastClass | undefined;
}

/** An outbox that survives reloads. Throws `USAGE` where the platform lacks IndexedDB or Web Locks (a page without TLS has none). */
export function createIndexedDbOutbox({
  name = 'holdfast-outbox',
  indexedDB,
  locks,
  BroadcastChannel,
}: IndexedDbOutboxOptions = {}): OutboxStore {
  const platform = globalThis as { indexedDB?: IDBFactory; navigator?: { locks?: LockSource }; BroadcastChannel?: BroadcastClass };
  const factory = indexedDB ?? platform.indexedDB;
  const lockSource = locks ?? platform.navigator?.locks;
  if (factory === undefined || lockSource === undefined) {
    const missing = factory === undefined ? 'IndexedDB' : 'Web Locks';
    throw new HoldfastError('USAGE', `this platform has no ${missing}`, {
      hint: 'Serve the page over HTTPS or from localhost, or use createMemoryOutbox() and lose unsent messages on reload.',
    });
  }
  return new IndexedDbOutbox(name, factory, lockSource, BroadcastChannel ?? platform.BroadcastChannel);
}

const SLOTS = 'slots';
const PRODUCERS = 'producers';
const ROWS = 'rows';
const STORES = [SLOTS, PRODUCERS, ROWS];

/** Keys of the stores: the slot; slot and producer key; slot and id. */
interface SlotValue {
  readonly slot: string;
  readonly identity?: OutboxIdentity | undefined;
}
interface ProducerValue {
  readonly slot: string;
  readonly key: string;
  readonly producer: ProducerRecord;
}
interface RowValue {
  readonly slot: string;
  readonly id: number;
  readonly row: RowRecord;
}

/** A slot whose lock is held, until `release`. */
interface OwnedSlot {
  readonly slot: string;
  readonly release: () => void;
}

class IndexedDbOutbox implements OutboxStore {
  readonly isPersistent = true;
  readonly #name: string;
  readonly #factory: IDBFactory;
  readonly #locks: LockSource;
  #database: IDBDatabase | undefined;
  #slot: string | undefined;
  #identity: OutboxIdentity | undefined;
  #releaseSlot: () => void = () => {};
  #last: Promise<unknown> = Promise.resolve();
  readonly #broadcast: BroadcastClass | undefined;
  /** Slots whose locks are waited for. */
  readonly #watched = new Set<string>();
  #watch: { readonly stop: AbortController; readonly channel: InstanceType<BroadcastClass> | undefined } | undefined;

  constructor(name: string, factory: IDBFactory, locks: LockSource, broadcast: BroadcastClass | undefined) {
    this.#name = name;
    this.#factory = factory;
    this.#locks = locks;
    this.#broadcast = broadcast;
  }

  load(): Promise<OutboxRecord> {
    return this.#next(async () => {
      if (this.#slot !== undefined) throw new HoldfastError('STORE_UNAVAILABLE', 'the outbox has an owner already');
      const owned: OwnedSlot[] = [];
      try {
        this.#database = await this.#open();
        return await this.#take(owned);
      } catch (error) {
        // Nothing is owned then, so that it can be tried again, here or in another tab.
        for (const { release } of owned) release();
        this.#database?.close();
        this.#database = undefined;
        throw error;
      }
    });
  }

  apply(changes: OutboxChanges): Promise<void> {
    return this.#next(async () => {
      const slot = this.#slot;
      if (slot === undefined) throw new HoldfastError('STORE_UNAVAILABLE', 'the outbox is closed');
      const { identity = this.#identity } = changes;
      this.#identity = identity;
      const isLost = this.#database === undefined;
      // The browser closes and empties a database when the user clears the site's data: the slot must be found again.
      this.#database ??= await this.#open();
      await this.#write((transaction) => {
        put(transaction, slot, changes);
        if (isLost) transaction.objectStore(SLOTS).put({ slot, identity } satisfies SlotValue);
      });
    });
  }

  watch(heir: OutboxHeir): void {
    const own = this.#slot;
    if (own === undefined) return;
    const stop = new AbortController();
    const channel = this.#broadcast === undefined ? undefined : new this.#broadcast(this.#name);
    this.#watch = { stop, channel };
    // Node's would keep the process alive.
    (channel as { unref?(): void } | undefined)?.unref?.();
    const wait = (slot: unknown): void => {
      if (typeof slot !== 'string' || slot === own || this.#watched.has(slot)) return;
      this.#watched.add(slot);
      const inherit = (): Promise<void> => this.#next(() => this.#inherit(slot, heir));
      // Given up, or the database is gone: the next tab that starts looks at all of them again.
      this.#locks
        .request(this.#lockOf(slot), { signal: stop.signal }, inherit)
        .catch(() => {})
        .finally(() => this.#watched.delete(slot));
    };
    if (channel !== undefined) {
      channel.onmessage = ({ data }: { data: unknown }) => wait(data);
      channel.postMessage(own);
    }
    void this.#next(async () => {
      for (const slot of await this.#slots()) wait(slot);
    }).catch(() => {});
  }

  close(): Promise<void> {
    this.#watch?.stop.abort();
    this.#watch?.channel?.close();
    return this.#next(async () => {
      this.#database?.close();
      this.#database = undefined;
      this.#slot = undefined;
      this.#releaseSlot();
    });
  }

  #next<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => {});
    return result;
  }

  async #open(): Promise<IDBDatabase> {
    const request = this.#factory.open(this.#name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(SLOTS, { keyPath: 'slot' });
      request.result.createObjectStore(PRODUCERS, { keyPath: ['slot', 'key'] });
      request.result.createObjectStore(ROWS, { keyPath: ['slot', 'id'] });
    };
    const database = await settled(request);
    const forget = (): void => {
      if (this.#database === database) this.#database = undefined;
    };
    database.onclose = forget;
    database.onversionchange = () => {
      database.close();
      forget();
    };
    return database;
  }

  #lockOf(slot: string): string {
    return `${this.#name}/${slot}`;
  }

  async #slots(): Promise<string[]> {
    return (await this.#read((transaction) => transaction.objectStore(SLOTS).getAllKeys())) as string[];
  }

  /** Takes a slot if nobody has it; returns what gives it back. */
  #own(slot: string): Promise<(() => void) | undefined> {
    return new Promise((resolve, reject) => {
      this.#locks
        .request(this.#lockOf(slot), { ifAvailable: true }, (lock) => {
          if (lock === null) return resolve(undefined);
          return new Promise<void>((release) => resolve(release));
        })
        .catch(reject);
    });
  }

  /** Takes every slot that nobody has, or a new one; puts each into `owned` as soon as it is. All but the first are emptied into it. */
  async #take(owned: OwnedSlot[]): Promise<OutboxRecord> {
    for (const slot of await this.#slots()) {
      const release = await this.#own(slot);
      if (release !== undefined) owned.push({ slot, release });
    }
    while (owned.length === 0) {
      const slot = randomName(systemRandom, 20);
      const release = await this.#own(slot);
      if (release === undefined) continue;
      owned.push({ slot, release });
      await this.#write((transaction) => transaction.objectStore(SLOTS).put({ slot } satisfies SlotValue));
    }
    const [own, ...others] = owned as [OwnedSlot, ...OwnedSlot[]];
    for (const { slot, release } of others) {
      await this.#adopt(own.slot, slot);
      release();
    }
    const record = await this.#record(own.slot);
    this.#slot = own.slot;
    this.#releaseSlot = own.release;
    this.#identity = record.identity;
    return record;
  }

  async #record(slot: string): Promise<OutboxRecord> {
    const [value, producers, rows] = await Promise.all([
      this.#read((transaction) => transaction.objectStore(SLOTS).get(slot) as IDBRequest<SlotValue | undefined>),
      this.#read((transaction) => transaction.objectStore(PRODUCERS).getAll(within(slot)) as IDBRequest<ProducerValue[]>),
      this.#read((transaction) => transaction.objectStore(ROWS).getAll(within(slot)) as IDBRequest<RowValue[]>),
    ]);
    return { identity: value?.identity, producers: producers.map(({ producer }) => producer), rows: rows.map(({ row }) => row) };
  }

  /** The slot's owner is gone, while this tab lives. Its lock is held meanwhile, so that nobody else takes it over. */
  async #inherit(orphan: string, heir: OutboxHeir): Promise<void> {
    const slot = this.#slot;
    if (slot === undefined || this.#database === undefined || !(await this.#slots()).includes(orphan)) return;
    const left = await this.#record(orphan);
    const firstId = heir.reserveIds(left.rows.length);
    if (firstId !== undefined) heir.adopted(await this.#move(orphan, slot, left, firstId));
  }

  /** Moves everything of a dead tab's slot behind the own rows. */
  async #adopt(slot: string, orphan: string): Promise<void> {
    const own = await this.#record(slot);
    await this.#move(orphan, slot, await this.#record(orphan), (own.rows[own.rows.length - 1]?.id ?? 0) + 1);
  }

  /** All at once; returns what was moved, as it is in its new slot. */
  async #move(
    orphan: string,
    slot: string,
    { producers, rows }: OutboxRecord,
    firstId: number,
  ): Promise<Pick<OutboxRecord, 'producers' | 'rows'>> {
    const moved = { producers, rows: rows.map((row, at) => ({ ...row, id: firstId + at })) };
    await this.#write((transaction) => {
      put(transaction, slot, moved);
      transaction.objectStore(SLOTS).delete(orphan);
      transaction.objectStore(PRODUCERS).delete(within(orphan));
      transaction.objectStore(ROWS).delete(within(orphan));
    });
    return moved;
  }

  #read<T>(ask: (transaction: IDBTransaction) => IDBRequest<T>): Promise<T> {
    return settled(ask(this.#database!.transaction(STORES, 'readonly')));
  }

  /** One transaction; resolves when it is on disk. */
  async #write(change: (transaction: IDBTransaction) => void): Promise<void> {
    const transaction = this.#database!.transaction(STORES, 'readwrite', { durability: 'strict' });
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(failure(transaction.error));
    });
    change(transaction);
    await done;
  }
}

function put(
  transaction: IDBTransaction,
  slot: string,
  { identity, producers = [], producersGone = [], rows = [], rowsGone = [] }: OutboxChanges,
): void {
  const producerStore = transaction.objectStore(PRODUCERS);
  const rowStore = transaction.objectStore(ROWS);
  if (identity !== undefined) transaction.objectStore(SLOTS).put({ slot, identity } satisfies SlotValue);
  for (const producer of producersGone) producerStore.delete([slot, producerKey(producer)]);
  for (const producer of producers) producerStore.put({ slot, key: producerKey(producer), producer } satisfies ProducerValue);
  for (const id of rowsGone) rowStore.delete([slot, id]);
  for (const row of rows) rowStore.put({ slot, id: row.id, row } satisfies RowValue);
}

/** Every key that begins with the slot: an array sorts after all strings and numbers. */
function within(slot: string): IDBKeyRange {
  return IDBKeyRange.bound([slot], [slot, []]);
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(failure(request.error));
  });
}

function failure(cause: DOMException | null): HoldfastError {
  const isFull = cause?.name === 'QuotaExceededError';
  return new HoldfastError(
    isFull ? 'STORE_READ_ONLY' : 'STORE_UNAVAILABLE',
    `IndexedDB failed: ${cause?.message ?? 'the transaction was aborted'}`,
    { cause },
  );
}
