/** Where the workers begin: one file, and its task says which of them it is. Answer 0 says that it is ready, or why not. */

import { dirname } from 'node:path';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { restore, writeBackup } from './backup.ts';
import { makeDirectory, syncDirectory } from './disk.ts';
import { loadDriver, type Connection, type Driver } from './driver.ts';
import { failureOf } from './failure.ts';
import type { Answer, Numbered, ReaderCall, Ready, WorkerTask, WriterTask } from './messages.ts';
import { takeProcessLock } from './process-lock.ts';
import { Reader } from './reader.ts';
import { checkStore, makeStore, valueOf } from './schema.ts';
import { Writer } from './writer.ts';
import { WriterLoop } from './writer-loop.ts';

/** Of SQLite's pages: the index leaves of some thousand busy topics stay in memory. */
const WRITER_CACHE_KB = 65_536;
const READER_CACHE_KB = 16_384;
/**
 * Pages in the write-ahead log before they are copied to the file, 48 MB. A copy writes a page once that many commits
 * changed: over 1,000 topics this gives a quarter more appends per second than SQLite's 1,000 pages.
 */
const CHECKPOINT_PAGES = 6000;
/** What the write-ahead log is cut down to after a backup or a burst has made it longer. */
const WRITE_AHEAD_BYTES_MAX = 67_108_864;

async function main(port: MessagePort, task: WorkerTask): Promise<void> {
  const path = task.role === 'restore' ? task.from : task.path;
  try {
    const driver = await loadDriver(task.driver);
    const value = { ...begin(port, driver, task), driver: driver.name, sqliteVersion: driver.sqliteVersion } satisfies Ready;
    port.postMessage([{ id: 0, value }] satisfies Answer[]);
  } catch (error) {
    port.postMessage([{ id: 0, failure: failureOf(error, path) }] satisfies Answer[]);
    port.close();
  }
}

/** Does the task, or begins to serve it; what it returns goes into answer 0. A thread that serves nothing ends by itself. */
function begin(port: MessagePort, driver: Driver, task: WorkerTask): { readonly replaced?: string } {
  switch (task.role) {
    case 'writer':
      serveWriter(port, driver, task);
      return {};
    case 'reader':
      serveReader(port, driver.open(task.path, { readOnly: true }), task.path);
      return {};
    case 'backup':
      writeBackup(driver, task);
      return {};
    case 'restore': {
      const replaced = restore(driver, task);
      return replaced === undefined ? {} : { replaced };
    }
  }
}

function serveWriter(port: MessagePort, driver: Driver, task: WriterTask): void {
  makeDirectory(dirname(task.path));
  const lock = takeProcessLock(driver, task.path);
  let connection: Connection | undefined;
  try {
    makeStore(driver, task.path);
    connection = driver.open(task.path, { readOnly: false });
    checkStore(connection, task.path);
    // A backup that was put here by hand is not in this mode yet, and a change of mode leaves a journal to be forgotten.
    connection.exec('PRAGMA journal_mode = WAL');
    syncDirectory(dirname(task.path));
    connection.exec(`
      PRAGMA synchronous = ${task.synchronous === 'full' ? 'FULL' : 'NORMAL'};
      PRAGMA fullfsync = ${task.synchronous === 'full' ? 'ON' : 'OFF'};
      PRAGMA checkpoint_fullfsync = ON;
      PRAGMA busy_timeout = 5000;
      PRAGMA cache_size = -${WRITER_CACHE_KB};
      PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
      PRAGMA journal_size_limit = ${WRITE_AHEAD_BYTES_MAX};
    `);
    if (task.fileBytesMax !== undefined) {
      connection.exec(
        `PRAGMA max_page_count = ${Math.max(1, Math.floor(task.fileBytesMax / Number(valueOf(connection, 'PRAGMA page_size'))))}`,
      );
    }
    new WriterLoop(port, task, new Writer(connection, task), () => lock.release());
  } catch (error) {
    connection?.close();
    lock.release();
    throw error;
  }
}

function serveReader(port: MessagePort, connection: Connection, path: string): void {
  connection.exec(`PRAGMA busy_timeout = 5000; PRAGMA cache_size = -${READER_CACHE_KB};`);
  const reader = new Reader(connection);
  port.on('message', (call: Numbered<ReaderCall>) => {
    try {
      port.postMessage([{ id: call.id, value: answered(reader, call) }] satisfies Answer[]);
    } catch (error) {
      port.postMessage([{ id: call.id, failure: failureOf(error, path) }] satisfies Answer[]);
    }
    if (call.kind !== 'close') return;
    connection.close();
    port.close();
  });
}

function answered(reader: Reader, call: ReaderCall): unknown {
  switch (call.kind) {
    case 'read':
      return reader.read(call.topic, call.range, call.limits);
    case 'registers':
      return reader.registers(call.topic, call.afterRevision);
    case 'topics':
      return reader.topics(call.after, call.countMax);
    case 'close':
      return undefined;
  }
}

if (parentPort) void main(parentPort, workerData as WorkerTask);
