/**
 * Holdfast in memory: `storm-holdfast.mjs SPREAD_MS [limits]`. All clients of a measurement are one address, so the limits per address and
 * subject are lifted, and without "limits" those of the node too; with it 500 a second are let in. The spread is told from the beginning, as a client has it after the
 * first ping. Prints its port.
 */

import { createHub, createMemoryStore, listen, NODE_LIMITS } from '@holdfast/server';
import { gauge } from './gauge.mjs';

const [spread, limits] = process.argv.slice(2);
const isLifted = limits === 'limits' ? /^(address|subject)/ : /PerSecond$|ConnectionsMax$|^connectionsMax$/;
const lifted = Object.keys(NODE_LIMITS).filter((name) => isLifted.test(name));
const hub = createHub({
  store: createMemoryStore(),
  spreadMs: Number(spread),
  limits: { ...Object.fromEntries(lifted.map((name) => [name, Infinity])), ...(limits === 'limits' ? { acceptsPerSecond: 500 } : {}) },
});
const server = await listen({ hub, port: 0 });
gauge(() => ({ limited: Object.fromEntries(hub.counters.limits), closed: Object.fromEntries(hub.counters.closed) }));
process.stdout.write(`${server.port}\n`);
