import { spawn, spawnSync } from 'node:child_process';
import { chmod, cp, mkdtemp, open as openFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MiniSequencer } from '@holdfast/server/conformance';
import { afterEach, describe, expect, test } from 'vitest';
import { createSqliteStore, type SqliteStore, type SqliteStoreOptions } from './index.ts';

const WIDE = { countMax: 100_000, bytesMax: 1e9 };
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp();
});

async function freshDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-sqlite-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function open(options: SqliteStoreOptions): Promise<SqliteStore> {
  const store = await createSqliteStore(options);
  cleanups.push(() => store.close());
  return store;
}

/** Whether it could. Root may write in spite of permissions, so for root the folder is mounted over itself, read-only. */
async function makeReadOnly(directory: string): Promise<boolean> {
  if (process.getuid?.() !== 0) {
    for (const name of ['existing', '.']) await chmod(join(directory, name), 0o555);
    cleanups.push(
      async () => chmod(directory, 0o755),
      async () => chmod(join(directory, 'existing'), 0o755),
    );
    return true;
  }
  if (spawnSync('mount', ['--bind', directory, directory]).status !== 0) return false;
  cleanups.push(async () => spawnSync('umount', [directory]));
  return spawnSync('mount', ['-o', 'remount,ro,bind', directory]).status === 0;
}

/** What `sqlite3 -readonly` prints: the command that the documentation promises. */
function query(path: string, sql: string): string {
  const { status, stdout, stderr } = spawnSync('sqlite3', ['-readonly', path, sql], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trimEnd();
}

/** Opens what a killed process would leave: a copy of the files of a store that is open. */
async function openAsAfterKill(store: SqliteStore, options: SqliteStoreOptions = {}): Promise<SqliteStore> {
  const directory = await freshDirectory();
  for (const suffix of ['', '-wal']) await cp(store.path + suffix, join(directory, `holdfast.db${suffix}`));
  return open({ directory, ...options });
}

describe('opening', () => {
  test('makes the folder and the file, and says what it is', async () => {
    const directory = join(await freshDirectory(), 'not', 'there', 'yet');
    const store = await open({ directory });
    expect(store).toMatchObject({ path: join(directory, 'holdfast.db'), durability: 'fsync', outcomesMax: 64 });
    expect(store.sqliteVersion).toMatch(/^3\.\d+\.\d+$/);
    expect(['node:sqlite', 'better-sqlite3']).toContain(store.driver);
  });

  test('without a sync for every commit it promises less', async () => {
    expect((await open({ directory: await freshDirectory(), synchronous: 'normal' })).durability).toBe('process');
  });

  test('refuses options that it cannot mean', async () => {
    const usage = { code: 'USAGE' };
    await expect(createSqliteStore({})).rejects.toMatchObject(usage);
    await expect(createSqliteStore({ directory: 'a', path: 'b' })).rejects.toMatchObject(usage);
    await expect(createSqliteStore({ path: 'b', outcomesMax: 0 })).rejects.toMatchObject({
      ...usage,
      message: expect.stringContaining('outcomesMax'),
    });
    await expect(createSqliteStore({ path: 'b', fileBytesMax: 10 })).rejects.toMatchObject({
      ...usage,
      message: expect.stringContaining('fileBytesMax'),
    });
  });

  test('refuses a file of a newer Holdfast, and leaves it alone', async () => {
    const path = join(await freshDirectory(), 'holdfast.db');
    await (await createSqliteStore({ path })).close();
    spawnSync('sqlite3', [path, 'PRAGMA user_version = 99']);
    await expect(createSqliteStore({ path })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('schema version 99'),
    });
    expect(query(path, 'PRAGMA user_version')).toBe('99');
  });

  test('goes on where the making of a file was cut short', async () => {
    const path = join(await freshDirectory(), 'holdfast.db');
    await writeFile(path, '');
    await writeFile(`${path}.new`, 'the half of a store');
    const store = await open({ path });
    expect(await readdir(dirname(path))).not.toContain('holdfast.db.new');
    await store.apply(new MiniSequencer().found('a').publish('a', '1').take());
    expect(query(path, 'PRAGMA auto_vacuum; PRAGMA journal_mode; PRAGMA page_size')).toBe('2\nwal\n8192');
  });

  test('a folder in which nothing can be written is said to be read-only, with a store in it or without', async ({ skip }) => {
    const directory = await freshDirectory();
    const existing = join(directory, 'existing');
    await (await createSqliteStore({ directory: existing })).close();
    if (!(await makeReadOnly(directory))) skip('root cannot mount anything here');
    for (const inside of [existing, directory, join(directory, 'new')]) {
      await expect(createSqliteStore({ directory: inside })).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
    }
  });

  test('a file in the place of the folder is named', async () => {
    const directory = join(await freshDirectory(), 'file');
    await writeFile(directory, '');
    await expect(createSqliteStore({ directory })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('EEXIST'),
    });
  });
});

describe('one process at a time', () => {
  test('a second store on the same file is refused and told who has it; after close it may', async () => {
    const directory = await freshDirectory();
    const store = await open({ directory });
    await expect(createSqliteStore({ directory })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(`already in use by process ${process.pid} on`),
    });
    await store.apply(new MiniSequencer().found('a').publish('a', '1').take());
    await store.close();
    expect(await (await open({ directory })).head('a')).toMatchObject({ last: 1 });
  });

  test('another process is named by its id, and leaves nothing to clean up when it is killed', async () => {
    const directory = await freshDirectory();
    const program = fileURLToPath(new URL('./killed-writer.mjs', import.meta.url));
    const child = spawn(process.execPath, [program, directory, '1'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await expect(createSqliteStore({ directory })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(`process ${child.pid} on`),
      hint: expect.stringContaining('One process at a time'),
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
    expect((await (await open({ directory })).head('kill/0'))?.last).toBeGreaterThan(0);
  });

  test('a lock file that is none is not overwritten', async () => {
    const path = join(await freshDirectory(), 'holdfast.db');
    await writeFile(`${path}.lock`, 'somebody else put this text here, and it is long enough to be looked at');
    await expect(createSqliteStore({ path })).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      hint: expect.stringContaining('delete that file'),
    });
  });
});

describe('what a person sees in the file', () => {
  test('entries can be queried while the store is open', async () => {
    const store = await open({ directory: await freshDirectory() });
    const script = new MiniSequencer().found('chat/42').found('chat/43');
    script.publish('chat/42', '{"text":"hello"}', { at: Date.UTC(2026, 0, 2, 3, 4, 5, 678) }).publish('chat/43', '"other"');
    await store.apply(script.publish('chat/42', new Uint8Array([1, 255]), { subject: 'bob' }).take());
    expect(
      query(store.path, "SELECT offset, time, subject, producer, seq, payload FROM entries WHERE topic = 'chat/42' AND offset = 1"),
    ).toBe('1|2026-01-02T03:04:05.678Z|ann|phone|1|{"text":"hello"}');
    expect(query(store.path, "SELECT payload ->> 'text' FROM entries WHERE typeof(payload) = 'text' AND topic = 'chat/42'")).toBe('hello');
    expect(query(store.path, "SELECT hex(payload) FROM entries WHERE typeof(payload) = 'blob'")).toBe('01FF');
    expect(query(store.path, "EXPLAIN QUERY PLAN SELECT * FROM entries WHERE topic = 'chat/42' ORDER BY offset DESC LIMIT 10")).toContain(
      'log_offset',
    );
  });

  test('trimmed and removed history is not in it', async () => {
    const store = await open({ directory: await freshDirectory() });
    await store.apply(new MiniSequencer().found('a').publish('a', '1').publish('a', '2').found('b').publish('b', '3').take());
    await store.trim('a', { countMax: 1 });
    await store.remove('b');
    expect(query(store.path, 'SELECT topic, offset, payload FROM entries')).toBe('a|2|2');
    expect(query(store.path, 'SELECT count(*) FROM log')).toBe('1');
    expect(query(store.path, 'SELECT count(*) FROM removals')).toBe('0');
  });
});

describe('producers, whose rows are written late', () => {
  async function written(): Promise<SqliteStore> {
    const store = await open({ directory: await freshDirectory() });
    const script = new MiniSequencer().found('a').found('b').publish('a', ['1', '2', '3']).refuse('a', 'REFUSED', 'no');
    await store.apply(script.publish('b', '4', { producer: 'tablet' }).refuse('b', 'FORBIDDEN', 'not "you"').publish('a', '5').take());
    return store;
  }

  test('outcomes, refusals too, are there after a kill though no row was written', async () => {
    const store = await written();
    expect(query(store.path, 'SELECT count(*) FROM producers')).toBe('0');
    const after = await openAsAfterKill(store);
    for (const [topic, producer] of [
      ['a', 'phone'],
      ['b', 'tablet'],
      ['b', 'phone'],
    ] as const) {
      const memory = await store.outcomes(topic, 'ann', producer);
      expect(memory?.recent.length).toBeGreaterThan(0);
      expect(await after.outcomes(topic, 'ann', producer)).toEqual(memory);
    }
  });

  test('closing writes them, and nothing is left to be read anew', async () => {
    const store = await written();
    await store.close();
    expect(query(store.path, 'SELECT count(*) FROM producers')).toBe('3');
    expect(query(store.path, 'SELECT count(*) FROM refusals')).toBe('0');
    expect(query(store.path, 'SELECT producers_through = (SELECT max(id) FROM log) FROM progress')).toBe('1');
    expect(query(store.path, "SELECT recent FROM producers JOIN topics ON topics.id = topic WHERE name = 'a'")).toBe(
      '["digest phone 1",1,3,"digest phone 2","REFUSED","no","digest phone 3",4,1]',
    );
  });

  test('a long log writes them as it goes, so that opening has little to read', async () => {
    const store = await open({ directory: await freshDirectory(), synchronous: 'normal' });
    const script = new MiniSequencer().found('a').publish('a', '0', { producer: 'early' });
    for (let batch = 0; batch < 40; batch += 1) {
      for (let index = 0; index < 1000; index += 1) script.publish('a', '1');
      await store.apply(script.take());
    }
    expect(query(store.path, "SELECT seq FROM producers WHERE producer = 'early'")).toBe('1');
    expect(Number(query(store.path, 'SELECT max(log.id) - producers_through FROM log, progress'))).toBeLessThan(34_000);
    const after = await openAsAfterKill(store);
    expect(await after.outcomes('a', 'ann', 'phone')).toEqual(await store.outcomes('a', 'ann', 'phone'));
    expect(await after.outcomes('a', 'ann', 'early')).toEqual(await store.outcomes('a', 'ann', 'early'));
  });

  test('what trimming deletes from the log is in their rows before', async () => {
    const store = await written();
    await store.trim('a', { countMax: 0 });
    const after = await openAsAfterKill(store);
    expect(await after.outcomes('a', 'ann', 'phone')).toEqual(await store.outcomes('a', 'ann', 'phone'));
    expect((await after.outcomes('a', 'ann', 'phone'))?.seq).toBe(3);
  });

  test('a forgotten producer does not come back from the log after a kill', async () => {
    const store = await written();
    expect(await store.expireProducers(1e9)).toBe(3);
    const after = await openAsAfterKill(store);
    expect(await after.outcomes('a', 'ann', 'phone')).toBeUndefined();
    expect(await after.outcomes('b', 'ann', 'phone')).toBeUndefined();
  });

  test('a larger window takes effect at the next opening, a smaller one at once', async () => {
    const store = await written();
    await store.close();
    const smaller = await open({ path: store.path, outcomesMax: 2 });
    expect((await smaller.outcomes('a', 'ann', 'phone'))?.recent.map(({ seq }) => seq)).toEqual([2, 3]);
    await smaller.close();
    expect((await (await open({ path: store.path })).outcomes('a', 'ann', 'phone'))?.recent.length).toBe(3);
  });
});

describe('space', () => {
  test('a file shrinks when most of it was trimmed away', async () => {
    const store = await open({ directory: await freshDirectory(), synchronous: 'normal' });
    const script = new MiniSequencer().found('a').found('b').publish('b', '"stays"');
    for (let index = 0; index < 4000; index += 1) script.publish('a', new Uint8Array(2000));
    await store.apply(script.take());
    await store.close();
    const before = (await stat(store.path)).size;
    const again = await open({ path: store.path });
    await again.trim('a', { countMax: 10 });
    // Shrinking is work of the store's own account: a call behind it comes when it is done or has more time; closing ends it.
    while (query(store.path, 'PRAGMA freelist_count') !== '0') await again.head('a');
    await again.close();
    expect((await stat(store.path)).size).toBeLessThan(before / 10);
    expect(query(store.path, 'PRAGMA integrity_check')).toBe('ok');
  });

  test('a removal cut short goes on at the next opening', async () => {
    const store = await open({ directory: await freshDirectory(), synchronous: 'normal' });
    const script = new MiniSequencer().found('a').found('b').publish('b', '1');
    for (let index = 0; index < 5000; index += 1) script.publish('a', `${index}`).register('a', `${index % 10}`, '1');
    await store.apply(script.take());
    await store.close();
    spawnSync('sqlite3', [store.path, "INSERT INTO removals SELECT id FROM topics WHERE name = 'a'; DELETE FROM topics WHERE name = 'a'"]);
    const again = await open({ path: store.path });
    while (query(store.path, 'SELECT count(*) FROM removals') !== '0') await again.head('b');
    expect(query(store.path, 'SELECT (SELECT count(*) FROM log), (SELECT count(*) FROM registers), (SELECT count(*) FROM producers)')).toBe(
      '1|0|1',
    );
  });

  test('more than may wait for the disk is refused as overload, and nothing of it is stored', async () => {
    const store = await open({ directory: await freshDirectory(), queueBytesMax: 300_000 });
    const script = new MiniSequencer().found('a');
    const applied = Array.from({ length: 4 }, () => store.apply(script.publish('a', new Uint8Array(100_000)).take()));
    const results = await Promise.allSettled(applied);
    expect(results.map((result) => (result.status === 'rejected' ? (result.reason as { code: string }).code : 'stored'))).toEqual([
      'stored',
      'stored',
      'OVERLOADED',
      'OVERLOADED',
    ]);
    expect(await store.head('a')).toMatchObject({ last: 2 });
    await store.apply(new MiniSequencer().goOn('a', 2, 0).goOnProducer('a', 2).publish('a', new Uint8Array(400_000)).take());
  });
});

describe('batches that share a commit', () => {
  test('are tried one by one when the disk refuses them together', async () => {
    const store = await open({ directory: await freshDirectory(), fileBytesMax: 1_000_000, commitDelayMs: 300 });
    const script = new MiniSequencer().found('a').publish('a', '"first"');
    const first = store.apply(script.take());
    // It is stored, and its commit is still being held up: what comes now waits, and is joined.
    while ((await store.read('a', { after: 0 }, WIDE)) === undefined);
    const sizes = [10, 20_000, 20_000, 2_000_000, 10];
    const results = await Promise.allSettled(sizes.map((size) => store.apply(script.publish('a', new Uint8Array(size)).take())));
    expect(results.map((result) => (result.status === 'rejected' ? (result.reason as { code: string }).code : 'stored'))).toEqual([
      'stored',
      'stored',
      'stored',
      'STORE_READ_ONLY',
      'STORE_READ_ONLY',
    ]);
    await first;
    expect(await store.head('a')).toMatchObject({ last: 4 });
    expect(await store.outcomes('a', 'ann', 'phone')).toMatchObject({ seq: 4 });
  });
});

describe('damage', () => {
  test('a write-ahead log without its file is not taken for a new store’s', async () => {
    const store = await open({ directory: await freshDirectory() });
    await store.apply(new MiniSequencer().found('a').publish('a', '1').take());
    const directory = await freshDirectory();
    await cp(`${store.path}-wal`, join(directory, 'holdfast.db-wal'));
    await expect(createSqliteStore({ directory })).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining('is missing'),
    });
    expect((await readdir(directory)).sort()).toEqual(['holdfast.db-wal', 'holdfast.db.lock']);
  });

  test('found while reading is said to be damage, and the rest stays readable', async () => {
    const store = await open({ directory: await freshDirectory() });
    const script = new MiniSequencer().found('a');
    for (let index = 0; index < 3000; index += 1) script.publish('a', JSON.stringify('y'.repeat(300)));
    await store.apply(script.take());
    await store.close();
    const again = await open({ path: store.path });
    const file = await openFile(store.path, 'r+');
    await file.write(new Uint8Array(8192 * 40).fill(0xa5), 0, 8192 * 40, 8192 * 60);
    await file.close();
    await expect(again.read('a', { after: 0 }, WIDE)).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      hint: expect.stringContaining('backup'),
    });
    expect((await again.read('a', { after: 0 }, { countMax: 10, bytesMax: 1e6 }))?.entries.length).toBe(10);
  });
});

test('a store that was closed leaves one file and its lock', async () => {
  const directory = await freshDirectory();
  const store = await open({ directory });
  await store.apply(new MiniSequencer().found('a').publish('a', '1').take());
  await store.close();
  expect((await readdir(directory)).sort()).toEqual(['holdfast.db', 'holdfast.db.lock']);
});
