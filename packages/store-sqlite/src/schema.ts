/**
 * The file: its tables, how it is made, and how it is recognised. `log` is in the order of arrival with a unique index on
 * (topic, offset); people query the view `entries`. What is not written on the hot path can be derived: a topic's head is
 * its `cut` and its last row, its revision is that of its newest register.
 */

import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncDirectory, syncFile } from './disk.ts';
import type { Connection, Driver, SqlValue } from './driver.ts';
import { notAStore, StoreFailure } from './failure.ts';

/** `HOLD` in ASCII, in the file's header: tells a Holdfast store from any other SQLite file. */
const APPLICATION_ID = 0x484f4c44;
/** Goes up with every change that an older version could not read. */
const SCHEMA_VERSION = 1;

const SCHEMA = `
CREATE TABLE topics (
  -- Never used again, so that the rest of a removed topic cannot turn up under a new one.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  epoch TEXT NOT NULL,
  -- The highest offset that was trimmed away: the log begins behind it.
  cut INTEGER NOT NULL
) STRICT;
CREATE TABLE log (
  id INTEGER PRIMARY KEY,
  topic INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  at INTEGER NOT NULL,
  subject TEXT NOT NULL,
  producer TEXT NOT NULL,
  seq INTEGER NOT NULL,
  -- Of the publish; NULL in its second and further entries.
  digest TEXT,
  -- Sizes of this topic's payloads added up, this one included: differences tell what lies between two entries.
  bytes_through INTEGER NOT NULL,
  -- JSON as TEXT, bytes as BLOB.
  payload ANY NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_offset ON log (topic, offset);
CREATE TABLE registers (
  topic INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (topic, key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX registers_revision ON registers (topic, revision);
CREATE TABLE producers (
  id INTEGER PRIMARY KEY,
  topic INTEGER NOT NULL,
  subject TEXT NOT NULL,
  producer TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  -- JSON, three values per outcome, oldest first, ending with that of seq: digest, offset, count or digest, code, message.
  recent TEXT NOT NULL,
  UNIQUE (topic, subject, producer)
) STRICT;
CREATE TABLE refusals (
  -- From the same counter as log.id; only those that no row of producers holds yet.
  id INTEGER PRIMARY KEY,
  topic INTEGER NOT NULL,
  subject TEXT NOT NULL,
  producer TEXT NOT NULL,
  seq INTEGER NOT NULL,
  digest TEXT NOT NULL,
  at INTEGER NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL
) STRICT;
-- Topics that are gone by name, while their rows are still being deleted.
CREATE TABLE removals (topic INTEGER PRIMARY KEY) STRICT;
-- One row: what lies in log and refusals up to this id is in producers too.
CREATE TABLE progress (producers_through INTEGER NOT NULL) STRICT;
INSERT INTO progress VALUES (0);
CREATE VIEW entries AS
  SELECT topics.name AS topic, log.offset AS offset, strftime('%Y-%m-%dT%H:%M:%fZ', log.at / 1000.0, 'unixepoch') AS time,
         log.subject AS subject, log.producer AS producer, log.seq AS seq, log.payload AS payload, log.at AS at
  FROM log JOIN topics ON topics.id = log.topic;
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** The one value that a query gives. */
export function valueOf(connection: Connection, sql: string): SqlValue | undefined {
  const row = connection.prepare(sql).get();
  return row && Object.values(row)[0];
}

/**
 * Makes a store at `path` if there is nothing, or an empty file. It is made beside it and renamed when it is whole and on
 * the disk, so that no moment at which the machine stops leaves half a store.
 */
export function makeStore(driver: Driver, path: string): void {
  if (existsSync(path) && statSync(path).size > 0) return;
  const wal = `${path}-wal`;
  if (existsSync(wal) && statSync(wal).size > 0) {
    // SQLite would take it for the new file's.
    throw new StoreFailure('STORE_CORRUPT', `${path} is missing, but its write-ahead log is there.`, {
      hint: 'Put the file back beside it, restore a backup, or move the write-ahead log away.',
    });
  }
  const part = `${path}.new`;
  for (const rest of [part, `${part}-wal`, `${part}-shm`, `${part}-journal`]) rmSync(rest, { force: true });
  const connection = driver.open(part, { readOnly: false });
  try {
    // Before the first table: afterwards either would need a VACUUM of everything. Pages of 8 instead of 4 kB save a tenth
    // of the CPU per entry over 1,000 topics.
    connection.exec('PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;');
    connection.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
  } finally {
    connection.close();
  }
  syncFile(part);
  renameSync(part, path);
  syncDirectory(dirname(path));
}

/**
 * Checks that the open file is a store of this version, and whole as far as can be told without reading all of it. Throws
 * `STORE_CORRUPT` (another program's file, a damaged one) or `USAGE` (a newer Holdfast's).
 */
export function checkStore(connection: Connection, path: string): void {
  assertStore(connection, path);
  // What is in the write-ahead log goes to the file now, so that its size can be compared with what its header says.
  connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const bytes = Number(valueOf(connection, 'PRAGMA page_count')) * Number(valueOf(connection, 'PRAGMA page_size'));
  const { size } = statSync(path);
  if (size < bytes) {
    throw new StoreFailure('STORE_CORRUPT', `${path} is cut off: it has ${size} bytes of ${bytes}.`);
  }
}

/** Throws unless the open file says of itself that it is a store of this version. */
export function assertStore(connection: Connection, path: string): void {
  if (valueOf(connection, 'PRAGMA application_id') !== APPLICATION_ID) throw notAStore(path);
  const version = Number(valueOf(connection, 'PRAGMA user_version'));
  if (version === SCHEMA_VERSION) return;
  throw new StoreFailure('USAGE', `${path} has schema version ${version}; this Holdfast knows ${SCHEMA_VERSION}.`, {
    hint: 'Start the version of Holdfast that wrote it, or a newer one.',
  });
}
