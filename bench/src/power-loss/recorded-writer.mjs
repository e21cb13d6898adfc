/** The process that is recorded: `recorded-writer.mjs DIRECTORY SEED full|normal` writes to the store for ever, and prints what is acknowledged. */

import { writeSync } from 'node:fs';
import { writeUntilKilled } from '@holdfast/server/conformance';
import { createSqliteStore } from '@holdfast/store-sqlite';

const [directory, seed, synchronous] = process.argv.slice(2);
const store = await createSqliteStore({ directory, synchronous });
// At once, not buffered: what is printed must be what was acknowledged before the kill.
await writeUntilKilled(store, (batch) => writeSync(1, `${batch}\n`), Number(seed));
