import { cp, mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { MiniSequencer } from '@holdfast/server/conformance';
import { afterEach, describe, expect, test } from 'vitest';
import { createSqliteStore, restoreBackup, type SqliteStore } from './index.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp();
});

async function freshDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-backup-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A store with one entry in each of two topics, and a backup of it. */
async function backedUp(): Promise<{ store: SqliteStore; from: string }> {
  const store = await createSqliteStore({ directory: await freshDirectory() });
  cleanups.push(() => store.close());
  await store.apply(new MiniSequencer().found('a').found('b').publish('a', '"kept"').publish('b', '1').take());
  const from = join(await freshDirectory(), 'copy.db');
  await store.backup(from);
  return { store, from };
}

async function headsIn(path: string): Promise<readonly object[]> {
  const store = await createSqliteStore({ path });
  const heads = await store.topics(undefined, 10);
  await store.close();
  return heads;
}

describe('backup', () => {
  test('leaves one file beside nothing else', async () => {
    const { from } = await backedUp();
    expect(await readdir(join(from, '..'))).toEqual([basename(from)]);
  });

  test('into a folder that is not there fails and leaves the store at work', async () => {
    const { store } = await backedUp();
    await expect(store.backup(join(await freshDirectory(), 'no', 'such', 'copy.db'))).rejects.toThrow(/unable to open|cannot be/);
    await store.apply(new MiniSequencer().found('c').publish('c', '1').take());
    expect(await store.head('c')).toMatchObject({ last: 1 });
  });
});

describe('restore', () => {
  test('gives every topic a new epoch, another one each time', async () => {
    const { store, from } = await backedUp();
    const epochs = new Set([(await store.head('a'))!.epoch, (await store.head('b'))!.epoch]);
    for (let round = 0; round < 2; round += 1) {
      const { path } = await restoreBackup({ from, directory: await freshDirectory() });
      for (const head of await headsIn(path)) epochs.add((head as { epoch: string }).epoch);
    }
    expect(epochs.size).toBe(6);
    // HF-1.2
    for (const epoch of epochs) if (!epoch.startsWith('epoch of')) expect(epoch).toMatch(/^[A-Za-z0-9_.~-]{1,64}$/);
  });

  test('takes its randomness from the caller where one is given', async () => {
    const { from } = await backedUp();
    const { path } = await restoreBackup({ from, directory: await freshDirectory(), random: (count) => new Uint8Array(count) });
    expect(await headsIn(path)).toMatchObject([{ epoch: 'AAAAAAAAAAAA-1' }, { epoch: 'AAAAAAAAAAAA-2' }]);
  });

  test('refuses where a store is, and leaves both as they are', async () => {
    const { from } = await backedUp();
    const { store } = await backedUp();
    await store.close();
    const before = await headsIn(store.path);
    await expect(restoreBackup({ from, path: store.path })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('already'),
    });
    expect(await headsIn(store.path)).toEqual(before);
  });

  test('told to replace, it puts the store that is there aside, with its newest commits', async () => {
    const { from } = await backedUp();
    const directory = await freshDirectory();
    const killed = await createSqliteStore({ directory: await freshDirectory() });
    cleanups.push(() => killed.close());
    await killed.apply(new MiniSequencer().found('newer').publish('newer', '1').take());
    // As after a kill: the newest commits are in the write-ahead log only.
    for (const suffix of ['', '-wal']) await cp(killed.path + suffix, join(directory, `holdfast.db${suffix}`));
    const { path, replaced } = await restoreBackup({ from, directory, replace: true });
    expect(await headsIn(path)).toMatchObject([{ topic: 'a' }, { topic: 'b' }]);
    expect(await headsIn(replaced!)).toMatchObject([{ topic: 'newer', last: 1 }]);
  });

  test('replaces a damaged store too, and keeps what is left of it', async () => {
    const { from } = await backedUp();
    const path = join(await freshDirectory(), 'holdfast.db');
    await writeFile(path, 'no database '.repeat(100));
    const { replaced } = await restoreBackup({ from, path, replace: true });
    expect((await stat(replaced!)).size).toBe(1200);
    expect(await headsIn(path)).toHaveLength(2);
  });

  test('refuses while that store is open', async () => {
    const { from, store } = await backedUp();
    await expect(restoreBackup({ from, path: store.path, replace: true })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await store.head('a')).toMatchObject({ last: 1 });
  });

  test('refuses a missing, a foreign and a damaged backup, and leaves nothing behind', async () => {
    const { from } = await backedUp();
    const directory = await freshDirectory();
    await expect(restoreBackup({ from: `${from}.not`, directory })).rejects.toMatchObject({ code: 'USAGE' });
    const foreign = join(await freshDirectory(), 'notes.txt');
    await writeFile(foreign, 'these are notes, not a backup of anything '.repeat(10));
    await expect(restoreBackup({ from: foreign, directory })).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    await truncate(from, (await stat(from)).size - 8192);
    await expect(restoreBackup({ from, directory })).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    expect(await readdir(directory)).toEqual(['holdfast.db.lock']);
  });
});
