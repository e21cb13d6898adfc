import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { describe, expect, it, vi } from 'vitest';
import { describeOutbox, producer, row } from './outbox-conformance.testing.ts';
import { createIndexedDbOutbox, type LockSource } from './outbox-indexeddb.ts';
import type { OutboxHeir, OutboxRecord, OutboxStore, ProducerRecord, RowRecord } from './outbox.ts';
import { outcome, T, World } from './world.testing.ts';

interface Request {
  readonly tab: object;
  grant(): void;
}

/** Web Locks as far as they are used. A dead tab's locks are gone, and it waits for none: `kill`. */
class Locks {
  readonly held = new Map<string, object>();
  readonly waiting = new Map<string, Request[]>();

  tab(): { readonly locks: LockSource; kill(): void } {
    const tab = {};
    const request: LockSource['request'] = (name, { ifAvailable, signal }, callback) =>
      new Promise((resolve, reject) => {
        const grant = (): void => {
          this.held.set(name, tab);
          const release = (): void => {
            if (this.held.get(name) === tab) this.#free(name);
          };
          Promise.resolve(callback({ name })).then(resolve, reject).finally(release);
        };
        if (!this.held.has(name)) return grant();
        if (ifAvailable === true) return resolve(callback(null));
        const waiter = { tab, grant };
        this.waiting.set(name, [...(this.waiting.get(name) ?? []), waiter]);
        signal?.addEventListener('abort', () => {
          this.waiting.set(
            name,
            this.waiting.get(name)!.filter((other) => other !== waiter),
          );
          reject(signal.reason as Error);
        });
      });
    const kill = (): void => {
      for (const [name, waiters] of this.waiting)
        this.waiting.set(
          name,
          waiters.filter((waiter) => waiter.tab !== tab),
        );
      for (const [name, owner] of this.held) if (owner === tab) this.#free(name);
    };
    return { locks: { request }, kill };
  }

  get waitingCount(): number {
    return [...this.waiting.values()].flat().length;
  }

  #free(name: string): void {
    this.held.delete(name);
    this.waiting.get(name)?.shift()?.grant();
  }
}

class Browser {
  readonly locks = new Locks();
  readonly indexedDB = new IDBFactory();
  readonly channels = new Set<{ onmessage: ((event: never) => void) | null }>();

  tab({ canBroadcast = true } = {}): { readonly store: OutboxStore; kill(): void } {
    const { locks, kill } = this.locks.tab();
    const { channels, indexedDB } = this;
    class Channel {
      onmessage: ((event: never) => void) | null = null;
      constructor() {
        channels.add(this);
      }
      postMessage(data: unknown): void {
        for (const other of channels) if (other !== this) other.onmessage?.({ data } as never);
      }
      close(): void {
        channels.delete(this);
      }
    }
    // One that nobody hears.
    class Mute extends Channel {
      override postMessage(): void {}
    }
    return { store: createIndexedDbOutbox({ indexedDB, locks, BroadcastChannel: canBroadcast ? Channel : Mute }), kill };
  }
}

/** An heir that keeps what it gets. */
class Heir implements OutboxHeir {
  readonly rows: RowRecord[] = [];
  readonly producers: ProducerRecord[] = [];
  nextId: number | undefined = 100;

  reserveIds(count: number): number | undefined {
    if (this.nextId !== undefined) this.nextId += count;
    return this.nextId === undefined ? undefined : this.nextId - count;
  }

  adopted({ producers, rows }: Pick<OutboxRecord, 'producers' | 'rows'>): void {
    this.producers.push(...producers);
    this.rows.push(...rows);
  }
}

describeOutbox('IndexedDB', () => {
  const browser = new Browser();
  return { open: () => browser.tab().store };
});

describe('the IndexedDB outbox', () => {
  it('gives two tabs a slot each', async () => {
    const browser = new Browser();
    const [a, b] = [browser.tab(), browser.tab()];
    await Promise.all([a.store.load(), b.store.load()]);
    await a.store.apply({ identity: { client: 'a' }, rows: [row(1)] });
    await b.store.apply({ identity: { client: 'b' }, rows: [row(1), row(2)] });
    await a.store.close();
    await b.store.close();
    // The next tab takes over both: their rows, and the name of one.
    const record = await browser.tab().store.load();
    expect(record.rows.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(['a', 'b']).toContain(record.identity?.client);
  });

  it('HF-6.12: takes over the rows of dead tabs under their producers, once, and leaves live tabs alone', async () => {
    const browser = new Browser();
    const [dead, live, other] = [browser.tab(), browser.tab(), browser.tab()];
    await dead.store.load();
    await live.store.load();
    await other.store.load();
    await dead.store.apply({
      producers: [producer('dead', { nextSeq: 2 })],
      rows: [row(1, { producer: 'dead', seq: 1, items: ['dead'] })],
    });
    await live.store.apply({ rows: [row(1, { items: ['live'] })] });
    await other.store.apply({ producers: [producer('other')], rows: [row(7, { items: ['other'] })] });
    dead.kill();
    other.kill();
    const heir = await browser.tab().store.load();
    expect(heir.producers).toEqual(expect.arrayContaining([producer('dead', { nextSeq: 2 }), producer('other')]));
    expect(heir.rows.map(({ items }) => items[0])).toHaveLength(2);
    expect(heir.rows).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ items: ['dead'], producer: 'dead', seq: 1 }),
        expect.objectContaining({ items: ['other'] }),
      ]),
    );
    expect(new Set(heir.rows.map(({ id }) => id)).size).toBe(2);
    expect((await browser.tab().store.load()).rows).toEqual([]);
  });

  it('lets only one of two new tabs take over', async () => {
    const browser = new Browser();
    const dead = browser.tab();
    await dead.store.load();
    await dead.store.apply({ rows: [row(1)] });
    dead.kill();
    const records = await Promise.all([browser.tab().store.load(), browser.tab().store.load()]);
    expect(records.map(({ rows }) => rows.length).sort((a, b) => a - b)).toEqual([0, 1]);
  });

  it('a load that failed owns nothing, and can be tried again', async () => {
    const browser = new Browser();
    const dead = browser.tab();
    await dead.store.load();
    await dead.store.apply({ rows: [row(1)] });
    dead.kill();
    const { store } = browser.tab();
    const broken = vi.spyOn(IDBObjectStore.prototype, 'getAll').mockImplementation(() => {
      throw new Error('disk');
    });
    await expect(store.load()).rejects.toThrow('disk');
    expect(browser.locks.held.size).toBe(0);
    broken.mockRestore();
    expect((await store.load()).rows.map(({ id }) => id)).toEqual([1]);
  });

  it('opens the database again when the browser closed it', async () => {
    const browser = new Browser();
    const { store } = browser.tab();
    await store.load();
    await store.apply({ identity: { client: 'a' }, rows: [row(1)] });
    // What deleting the site's data does: every open connection is told to close.
    const deletion = browser.indexedDB.deleteDatabase('holdfast-outbox');
    await new Promise((resolve) => (deletion.onsuccess = resolve));
    await store.apply({ rows: [row(2)] });
    await store.close();
    expect(await browser.tab().store.load()).toEqual({ identity: { client: 'a' }, producers: [], rows: [row(2)] });
  });

  describe('a tab that runs', () => {
    it('takes over the rows of tabs that die, older and newer ones, under ids of its own', async () => {
      const browser = new Browser();
      const [older, tab, newer] = [browser.tab(), browser.tab(), browser.tab()];
      const heir = new Heir();
      await older.store.load();
      await older.store.apply({ producers: [producer('older', { nextSeq: 2 })], rows: [row(1, { producer: 'older', seq: 1 })] });
      await tab.store.load();
      await tab.store.apply({ rows: [row(1, { items: ['own'] })] });
      tab.store.watch!(heir);
      await newer.store.load();
      newer.store.watch!(new Heir());
      await newer.store.apply({ rows: [row(1, { items: ['newer'] }), row(2, { items: ['newer 2'] })] });
      await expect.poll(() => browser.locks.waitingCount).toBe(4);
      older.kill();
      newer.kill();
      await expect.poll(() => heir.rows.length).toBe(3);
      expect(heir.producers).toEqual([producer('older', { nextSeq: 2 })]);
      expect(heir.rows.map(({ id }) => id)).toEqual([100, 101, 102]);
      tab.kill();
      // They are durable there.
      const record = await browser.tab().store.load();
      expect(record.rows.map(({ items }) => items[0])).toEqual(['own', ...heir.rows.map(({ items }) => items[0])]);
    });

    it('takes over what was closed too; of several tabs one does', async () => {
      const browser = new Browser();
      const [closed, a, b] = [browser.tab(), browser.tab(), browser.tab()];
      const heirs = [new Heir(), new Heir()] as const;
      await closed.store.load();
      await closed.store.apply({ rows: [row(1)] });
      for (const [at, { store }] of [a, b].entries()) {
        await store.load();
        store.watch!(heirs[at]!);
      }
      await expect.poll(() => browser.locks.waitingCount).toBe(4);
      await closed.store.close();
      await expect.poll(() => heirs[0].rows.length + heirs[1].rows.length).toBe(1);
      await expect.poll(() => browser.locks.waitingCount).toBe(2);
      expect(heirs[0].rows.length + heirs[1].rows.length).toBe(1);
    });

    it('without a way to hear of newer tabs it takes over after older ones', async () => {
      const browser = new Browser();
      const [older, tab] = [browser.tab(), browser.tab({ canBroadcast: false })];
      const heir = new Heir();
      await older.store.load();
      await older.store.apply({ rows: [row(1)] });
      await tab.store.load();
      tab.store.watch!(heir);
      await expect.poll(() => browser.locks.waitingCount).toBe(1);
      older.kill();
      await expect.poll(() => heir.rows.length).toBe(1);
    });

    it('takes nothing over once it is closing, and waits for nothing then', async () => {
      const browser = new Browser();
      const [older, tab] = [browser.tab(), browser.tab()];
      const heir = new Heir();
      await older.store.load();
      await older.store.apply({ rows: [row(1)] });
      await tab.store.load();
      tab.store.watch!(heir);
      await expect.poll(() => browser.locks.waitingCount).toBe(1);
      heir.nextId = undefined;
      older.kill();
      await expect.poll(() => browser.locks.held.size).toBe(1);
      await tab.store.close();
      expect([heir.rows, browser.locks.waitingCount, browser.channels.size]).toEqual([[], 0, 0]);
      expect((await browser.tab().store.load()).rows).toHaveLength(1);
    });

    it('HF-6.12: sends what a dead tab had published, once, under the producer under which it may have been sent', async () => {
      const browser = new Browser();
      const world = new World();
      const [dead, live] = [browser.tab(), browser.tab()];
      const first = world.client({ store: dead.store });
      await world.open(first);
      const lost = outcome(first.topic(T).publish('stored, and its answer lost'));
      await expect.poll(() => world.clock.advance(1).then(() => world.stored().length)).toBe(1);
      // The answer is under way; the tab dies with two more that were never sent.
      world.network.cut();
      world.network.isUnreachable = true;
      void first.topic(T).publish('second');
      void first.topic(T).publish('third');
      const heir = world.client({ store: live.store });
      await expect.poll(async () => (await world.clock.advance(1), browser.locks.waitingCount)).toBeGreaterThan(0);
      dead.kill();
      await expect.poll(async () => (await world.clock.advance(1), heir.outbox.getSnapshot().length)).toBeGreaterThanOrEqual(2);
      world.network.isUnreachable = false;
      heir.retryNow();
      await expect
        .poll(async () => (await world.clock.advance(50), heir.status.getSnapshot()))
        .toMatchObject({ phase: 'open', queuedCount: 0 });
      expect(world.stored()).toEqual(['stored, and its answer lost', 'second', 'third']);
      expect(lost).toEqual({});
    });
  });

  it('says what is missing on a platform without Web Locks', () => {
    vi.stubGlobal('navigator', undefined);
    try {
      expect(() => createIndexedDbOutbox({ indexedDB: new IDBFactory() })).toThrow('Web Locks');
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
