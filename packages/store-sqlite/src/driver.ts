/**
 * The little of SQLite that the store uses, and the two libraries that give it: `node:sqlite` where the runtime has it
 * (Node 22.13 and newer), else better-sqlite3. Neither has types here (the floor is Node 20), so both are described by
 * their shape. Nothing outside this file knows which one is at work.
 */

import { StoreFailure } from './failure.ts';

export type SqlValue = string | number | bigint | Uint8Array | null;
export type Row = Readonly<Record<string, SqlValue>>;

export interface Statement {
  run(...values: SqlValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  get(...values: SqlValue[]): Row | undefined;
  all(...values: SqlValue[]): Row[];
  /** Rows one by one; leaving the loop early resets the statement. */
  iterate(...values: SqlValue[]): Iterable<Row>;
}

export interface Connection {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

export type DriverName = 'node:sqlite' | 'better-sqlite3';

export interface Driver {
  readonly name: DriverName;
  /** Of the SQLite library in it, such as `3.53.2`. */
  readonly sqliteVersion: string;
  /** Opens a file; a writing connection creates it where there is none. */
  open(path: string, options: { readonly readOnly: boolean }): Connection;
}

/** STRICT tables and `VACUUM INTO` need it. */
const OLDEST_SQLITE = '3.37.0';

type Import = (specifier: string) => Promise<unknown>;

/** The shape of both libraries' database classes; their options are spelt differently. */
type DatabaseClass = new (path: string, options: Readonly<Record<string, boolean>>) => Connection;

/**
 * Loads the wanted library, or the first of the two that is there. Rejects with a `StoreFailure` that says how to mend it
 * where there is none, or where its SQLite is older than 3.37. SQLite below 3.51.3 can lose commits when two connections
 * write (its WAL-reset bug); a Holdfast store has one writing connection, and `process-lock.ts` sees to it that no second
 * process opens another, so those versions are safe here.
 */
export async function loadDriver(wanted: DriverName | undefined, importModule: Import = (specifier) => import(specifier)): Promise<Driver> {
  const tried: unknown[] = [];
  for (const name of wanted === undefined ? (['node:sqlite', 'better-sqlite3'] as const) : [wanted]) {
    try {
      return checked(name === 'node:sqlite' ? nodeDriver(await importModule(name)) : betterDriver(await importModule(name)));
    } catch (error) {
      if (error instanceof StoreFailure) throw error;
      tried.push(error);
    }
  }
  throw new StoreFailure('USAGE', `No SQLite library could be loaded: ${tried.map((error) => firstLine(error)).join('; ')}.`, {
    hint:
      wanted === 'node:sqlite'
        ? 'Use Node 22.13 or newer, or leave the option "driver" out.'
        : 'Run "npm install better-sqlite3" (without a prebuilt binary it compiles for one to three minutes and needs a C++ compiler), or use Node 22.13 or newer, which brings SQLite with it.',
  });
}

function nodeDriver(module: unknown): Driver {
  const { DatabaseSync } = module as { DatabaseSync: DatabaseClass };
  return driverOf('node:sqlite', (path, readOnly) => new DatabaseSync(path, { readOnly }));
}

function betterDriver(module: unknown): Driver {
  const Database = (module as { default: DatabaseClass }).default;
  return driverOf('better-sqlite3', (path, readOnly) => new Database(path, { readonly: readOnly, fileMustExist: readOnly }));
}

function driverOf(name: DriverName, open: (path: string, readOnly: boolean) => Connection): Driver {
  const memory = open(':memory:', false);
  const sqliteVersion = String(memory.prepare('SELECT sqlite_version() AS version').get()?.['version']);
  memory.close();
  return { name, sqliteVersion, open: (path, { readOnly }) => open(path, readOnly) };
}

function checked(driver: Driver): Driver {
  if (!isOlder(driver.sqliteVersion, OLDEST_SQLITE)) return driver;
  throw new StoreFailure('USAGE', `${driver.name} brings SQLite ${driver.sqliteVersion}; ${OLDEST_SQLITE} is the oldest that works.`, {
    hint: 'Update better-sqlite3 or Node.',
  });
}

function isOlder(version: string, bound: string): boolean {
  const [parts, bounds] = [version.split('.').map(Number), bound.split('.').map(Number)];
  const index = bounds.findIndex((part, place) => part !== (parts[place] ?? 0));
  return index >= 0 && (parts[index] ?? 0) < bounds[index]!;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!.replace(/\.$/, '');
}
