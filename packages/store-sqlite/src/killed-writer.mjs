/** The process that `conformance.test.ts` kills: writes to the store in the directory given, and prints what is acknowledged. */

import { writeSync } from 'node:fs';
import { writeUntilKilled } from '@holdfast/server/conformance';
import { createSqliteStore } from '../dist/index.js';

const [directory, seed] = process.argv.slice(2);
const store = await createSqliteStore({ directory });
// At once, not buffered: what is printed must be what was acknowledged before the kill.
await writeUntilKilled(store, (batch) => writeSync(1, `${batch}\n`), Number(seed));
