import { describe, expect, test } from 'vitest';
import { loadDriver } from './driver.ts';

/** A library that says it holds this SQLite. */
function library(version: string): unknown {
  class Database {
    prepare(): unknown {
      return { get: () => ({ version }) };
    }
    close(): void {}
  }
  return { default: Database, DatabaseSync: Database };
}

function missing(specifier: string): Promise<unknown> {
  return Promise.reject(new Error(`Cannot find package '${specifier}'\nRequire stack: ...`));
}

describe('loading SQLite', () => {
  test('the runtime’s own library comes first, the installed one second', async () => {
    expect((await loadDriver(undefined, async () => library('3.53.0'))).name).toBe('node:sqlite');
    const onlyBetter = (specifier: string): Promise<unknown> =>
      specifier === 'better-sqlite3' ? Promise.resolve(library('3.53.0')) : missing(specifier);
    expect((await loadDriver(undefined, onlyBetter)).name).toBe('better-sqlite3');
  });

  test('the caller’s choice is the only one tried', async () => {
    const asked: string[] = [];
    await loadDriver('better-sqlite3', async (specifier) => {
      asked.push(specifier);
      return library('3.53.0');
    });
    expect(asked).toEqual(['better-sqlite3']);
  });

  test('where there is none, the error names both and says how to get one', async () => {
    await expect(loadDriver(undefined, missing)).rejects.toMatchObject({
      code: 'USAGE',
      message: "No SQLite library could be loaded: Cannot find package 'node:sqlite'; Cannot find package 'better-sqlite3'.",
      hint: expect.stringContaining('npm install better-sqlite3'),
    });
    await expect(loadDriver('node:sqlite', missing)).rejects.toMatchObject({ code: 'USAGE', hint: expect.stringContaining('Node 22.13') });
  });

  test('an SQLite that is too old is refused, one with the old WAL bug is not: there is one writing connection', async () => {
    await expect(loadDriver(undefined, async () => library('3.36.9'))).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('3.36.9'),
    });
    expect((await loadDriver(undefined, async () => library('3.37.0'))).sqliteVersion).toBe('3.37.0');
    expect((await loadDriver(undefined, async () => library('3.51.2'))).sqliteVersion).toBe('3.51.2');
    expect((await loadDriver(undefined, async () => library('4.0.0'))).sqliteVersion).toBe('4.0.0');
  });

  test('the library that is really here works', async () => {
    const driver = await loadDriver(undefined);
    const connection = driver.open(':memory:', { readOnly: false });
    connection.exec('CREATE TABLE t (a ANY) STRICT');
    const insert = connection.prepare('INSERT INTO t VALUES (?)');
    for (const value of ['text', 'a\0b', 7, new Uint8Array(0), new Uint8Array([1, 0]), null]) insert.run(value);
    const values = connection
      .prepare('SELECT a FROM t')
      .all()
      .map((row) => row['a']);
    expect(values.map((value) => (value instanceof Uint8Array ? [...value] : value))).toEqual(['text', 'a\0b', 7, [], [1, 0], null]);
    let seen = 0;
    for (const row of connection.prepare('SELECT a FROM t').iterate()) {
      seen += row['a'] === 'text' ? 1 : 0;
      break;
    }
    expect(seen).toBe(1);
    expect(() => connection.exec('INSERT INTO nowhere VALUES (1)')).toThrow(/no such table/);
    connection.close();
  });
});
