/** A server of its own process for the whole path: `node append-server.js DATA_DIRECTORY`. Prints its URL, ends on SIGTERM. */

import { createHub, listen } from '@holdfast/server';
import { createSqliteStore } from '@holdfast/store-sqlite';

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('usage: append-server DATA_DIRECTORY');
const store = await createSqliteStore({ directory });
const server = await listen({ hub: createHub({ store }), port: 0 });
process.once('SIGTERM', () => {
  void server.close().then(() => store.close());
});
process.stdout.write(`${server.url}\n`);
