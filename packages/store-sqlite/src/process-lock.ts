/**
 * One writing process per store: a lock file beside it (`holdfast.db.lock`) that is itself a tiny SQLite database, in
 * which a transaction stays open for as long as the store is. The operating system ends that lock with its process, so
 * nothing is left to clean up after `kill -9`; and as an open write transaction does not keep others from reading, the
 * second process reads who the first one is. (Byte-range locks do not work on every network file system: keep a store on
 * a disk of its own machine.)
 */

import { hostname } from 'node:os';
import type { Connection, Driver } from './driver.ts';
import { sqliteCode, StoreFailure } from './failure.ts';

export interface ProcessLock {
  release(): void;
}

/** Takes the lock of the store at `path`, or throws a `StoreFailure` that names its owner. Never waits. */
export function takeProcessLock(driver: Driver, path: string): ProcessLock {
  const lockPath = `${path}.lock`;
  const connection = driver.open(lockPath, { readOnly: false });
  try {
    // With its syncs, though no lock outlives a power cut: a file torn by one would keep the store shut afterwards.
    connection.exec('PRAGMA busy_timeout = 0; PRAGMA synchronous = FULL;');
    connection.exec('BEGIN IMMEDIATE');
    connection.exec('CREATE TABLE IF NOT EXISTS owner (id INTEGER PRIMARY KEY CHECK (id = 1), process INTEGER, host TEXT, since TEXT)');
    connection.prepare('INSERT OR REPLACE INTO owner VALUES (1, ?, ?, ?)').run(process.pid, hostname(), new Date().toISOString());
    // Committed, so that others can read it; whoever comes in between takes the lock, and the next line fails.
    connection.exec('COMMIT');
    connection.exec('BEGIN IMMEDIATE');
  } catch (error) {
    const refusal = refusalOf(connection, error, path);
    connection.close();
    throw refusal;
  }
  return {
    release: () => {
      connection.exec('ROLLBACK');
      connection.close();
    },
  };
}

function refusalOf(connection: Connection, error: unknown, path: string): unknown {
  const code = sqliteCode(error);
  if (code === 'SQLITE_NOTADB' || code === 'SQLITE_CORRUPT') {
    return new StoreFailure('STORE_CORRUPT', `${path}.lock is not a lock file of Holdfast.`, {
      hint: 'If no Holdfast server runs on this store, delete that file.',
    });
  }
  if (code === undefined || !code.startsWith('SQLITE_BUSY')) return error;
  return new StoreFailure('STORE_UNAVAILABLE', `${path} is already in use by ${ownerIn(connection)}.`, {
    hint: 'One process at a time may open a store for writing: end the other one, or give this one a directory of its own (serve: --data DIR).',
  });
}

function ownerIn(connection: Connection): string {
  try {
    const row = connection.prepare('SELECT process, host, since FROM owner').get();
    return row ? `process ${Number(row['process'])} on ${String(row['host'])}, since ${String(row['since'])}` : 'another process';
  } catch {
    // It is being written at this very moment.
    return 'another process, which has just started';
  }
}
