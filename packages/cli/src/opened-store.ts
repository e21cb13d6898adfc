/** The store of a server as the settings have it, and the socket through which backups are asked for. */

import { dirname } from 'node:path';
import { createMemoryStore, type TopicStore } from '@holdfast/server';
import { createSqliteStore, type SqliteStore } from '@holdfast/store-sqlite';
import { HoldfastError } from '@holdfast/wire';
import { ERROR_TEXTS } from '@holdfast/wire/texts';
import { listenForControl, type Control } from './control.ts';
import { CommandFailure } from './failure.ts';
import type { Settings } from './settings.ts';

/** Rejects with a `CommandFailure` that says how to mend it. */
export async function openStore({ memory, data, sync }: Settings): Promise<TopicStore | SqliteStore> {
  if (memory) return createMemoryStore();
  try {
    return await createSqliteStore({ directory: data, synchronous: sync });
  } catch (error) {
    throw openFailure(error, data);
  }
}

/** The table's hints are about a server at work; a folder that cannot be opened has other remedies. */
function openFailure(error: unknown, data: string): unknown {
  if (!(error instanceof HoldfastError) || error.hint !== ERROR_TEXTS[error.code].hint) return error;
  if (error.code === 'STORE_READ_ONLY')
    return new CommandFailure(error.message, 'Let this user write there, free some space, or name another folder with --data.');
  if (error.code === 'STORE_UNAVAILABLE') return new CommandFailure(error.message, `Look at ${data}, or name another folder with --data.`);
  return error;
}

/** Where the system has no such socket, or the store is in memory, there is none. */
export async function openControl(store: TopicStore, onFailure: (message: string) => void): Promise<Control | undefined> {
  if (!isSqlite(store)) return undefined;
  try {
    return await listenForControl(dirname(store.path), store);
  } catch (error) {
    const why = (error as Error).message;
    onFailure(`no control socket beside ${store.path} (${why}); "holdfast backup" works only while no server runs`);
    return undefined;
  }
}

/** Where the data are and what acknowledged means, in a line. */
export function storeText(store: TopicStore): string {
  if (!isSqlite(store)) return 'in memory only: gone when the server ends';
  const { path, driver, sqliteVersion, durability } = store;
  const meaning = durability === 'fsync' ? 'synced to disk' : 'handed to the operating system';
  return `${path} (SQLite ${sqliteVersion} of ${driver}); acknowledged means ${meaning}`;
}

function isSqlite(store: TopicStore): store is SqliteStore {
  return 'path' in store;
}
