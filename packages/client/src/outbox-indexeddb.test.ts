import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { describe, expect, it, vi } from 'vitest';
import { describeOutbox, producer, row } from './outbox-conformance.testing.ts';
import { createIndexedDbOutbox, type LockSource } from './outbox-indexeddb.ts';
import type { OutboxStore } from './outbox.ts';

/** Web Locks as far as they are used. A dead tab's locks are gone: `kill`. */
class Locks {
  readonly held = new Map<string, object>();

  tab(): { readonly locks: LockSource; kill(): void } {
    const mine = {};
    const request: LockSource['request'] = async (name, _options, callback) => {
      if (this.held.has(name)) return callback(null);
      this.held.set(name, mine);
      try {
        return await callback({ name });
      } finally {
        if (this.held.get(name) === mine) this.held.delete(name);
      }
    };
    const kill = (): void => {
      for (const [name, owner] of this.held) if (owner === mine) this.held.delete(name);
    };
    return { locks: { request }, kill };
  }
}

class Browser {
  readonly locks = new Locks();
  readonly indexedDB = new IDBFactory();

  tab(): { readonly store: OutboxStore; kill(): void } {
    const { locks, kill } = this.locks.tab();
    return { store: createIndexedDbOutbox({ indexedDB: this.indexedDB, locks }), kill };
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

  it('says what is missing on a platform without Web Locks', () => {
    vi.stubGlobal('navigator', undefined);
    try {
      expect(() => createIndexedDbOutbox({ indexedDB: new IDBFactory() })).toThrow('Web Locks');
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
