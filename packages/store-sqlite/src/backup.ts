/**
 * Copying a store: a backup of one that runs, and the way back. Both write beside their goal and rename at the end, when
 * everything is on the disk, so that what stands under the goal's name is always whole.
 */

import { copyFileSync, existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectory, syncDirectory, syncFile } from './disk.ts';
import type { Driver } from './driver.ts';
import { sqliteCode, StoreFailure } from './failure.ts';
import { takeProcessLock } from './process-lock.ts';
import { assertStore, valueOf } from './schema.ts';

/**
 * Writes a consistent copy of the store at `path` to `to`, which must not exist. `VACUUM INTO` copies what one read
 * transaction sees; commits go on beside it, in the write-ahead log, which grows until the copy is done.
 */
export function writeBackup(driver: Driver, { path, to }: { readonly path: string; readonly to: string }): void {
  if (existsSync(to)) throw alreadyThere(to);
  const part = `${to}.part-${process.pid}-${Date.now()}`;
  const connection = driver.open(path, { readOnly: true });
  try {
    connection.prepare('VACUUM INTO ?').run(part);
    syncFile(part);
    publishFile(part, to);
  } finally {
    connection.close();
    rmSync(part, { force: true });
  }
  syncDirectory(dirname(to));
}

export interface Restoration {
  readonly from: string;
  readonly path: string;
  /** Puts a store that is there aside, instead of refusing. */
  readonly replace: boolean;
  /** The new epochs are this, a hyphen and the topic's number in the file. */
  readonly epochPrefix: string;
}

/** Copies a backup to where a store is opened, under new epochs. Returns where the store that was there has gone. */
export function restore(driver: Driver, { from, path, replace, epochPrefix }: Restoration): string | undefined {
  if (!existsSync(from)) throw new StoreFailure('USAGE', `There is no backup at ${from}.`, { hint: 'Name the file that "backup" wrote.' });
  makeDirectory(dirname(path));
  const lock = takeProcessLock(driver, path);
  const part = `${path}.part-${process.pid}-${Date.now()}`;
  try {
    const isThere = [path, `${path}-wal`].some((file) => existsSync(file));
    if (!replace && isThere) {
      throw new StoreFailure('USAGE', `A store is at ${path} already.`, {
        hint: 'Restore into another directory, or say that it is to be replaced.',
      });
    }
    copyFileSync(from, part);
    beginNewEpochs(driver, part, from, epochPrefix);
    syncFile(part);
    const aside = isThere ? putAside(driver, path) : undefined;
    renameSync(part, path);
    syncDirectory(dirname(path));
    return aside;
  } finally {
    for (const rest of [part, `${part}-wal`, `${part}-shm`, `${part}-journal`]) rmSync(rest, { force: true });
    lock.release();
  }
}

function beginNewEpochs(driver: Driver, part: string, from: string, prefix: string): void {
  const connection = driver.open(part, { readOnly: false });
  try {
    assertStore(connection, from);
    const found = String(valueOf(connection, 'PRAGMA quick_check(1)'));
    if (found !== 'ok') throw new StoreFailure('STORE_CORRUPT', `${from} is damaged (${found}).`, { hint: 'Use another backup.' });
    connection.exec('PRAGMA journal_mode = WAL');
    connection.prepare("UPDATE topics SET epoch = ? || '-' || id").run(prefix);
  } finally {
    connection.close();
  }
}

/** Moves the store out of the way, whole: first what its write-ahead log still holds goes into the file. */
function putAside(driver: Driver, path: string): string {
  try {
    if (existsSync(path)) {
      const connection = driver.open(path, { readOnly: false });
      connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      connection.close();
    }
  } catch (error) {
    // A damaged store is a reason to restore a backup; it is kept as it is.
    if (sqliteCode(error) === undefined) throw error;
  }
  const aside = `${path}.replaced-${new Date().toISOString().replaceAll(':', '-')}`;
  for (const suffix of ['', '-wal', '-shm']) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  return aside;
}

/** Gives a finished file its name, never over another one. */
function publishFile(part: string, to: string): void {
  try {
    linkSync(part, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw alreadyThere(to);
    // Not every file system has links.
    if (existsSync(to)) throw alreadyThere(to);
    renameSync(part, to);
  }
}

function alreadyThere(to: string): StoreFailure {
  return new StoreFailure('USAGE', `There is a file at ${to} already; a backup never overwrites.`, {
    hint: 'Name a path at which nothing is.',
  });
}
