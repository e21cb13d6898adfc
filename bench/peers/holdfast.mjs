/**
 * Holdfast as anybody would start it, in memory or with `holdfast.mjs DIRECTORY` on disk: topics, logs, rights and
 * acknowledgements. Only the rates are lifted: this machine is one address. Prints its port, ends on SIGTERM.
 */

import { createHub, createMemoryStore, listen, NODE_LIMITS } from '@holdfast/server';
import { createSqliteStore } from '@holdfast/store-sqlite';

const [directory] = process.argv.slice(2);
const rates = Object.keys(NODE_LIMITS).filter((name) => /PerSecond$|ConnectionsMax$|^connectionsMax$/.test(name));
const store = directory === undefined ? createMemoryStore() : await createSqliteStore({ directory });
const hub = createHub({ store, limits: Object.fromEntries(rates.map((name) => [name, Infinity])) });
const server = await listen({ hub, port: 0, paths: { '/': { methods: { echo: (data) => data } } } });
process.once('SIGTERM', () => void server.close().then(() => process.exit(0)));
process.stdout.write(`${server.port}\n`);
