/** The durable Holdfast store on SQLite. */

export { createSqliteStore, restoreBackup } from './sqlite-store.ts';
export type { RestoreOptions, SqliteStore, SqliteStoreOptions } from './sqlite-store.ts';
export type { DriverName } from './driver.ts';
