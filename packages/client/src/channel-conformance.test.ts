/** The conformance table over sockets in memory, over `ws`, and over Node's own WebSocket where it has one. */

import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Kit, type Platform } from './channel-case.testing.ts';
import { casesOn, CONFORMANCE_CASES, expectedOn, runCase } from './channel-conformance.testing.ts';
import { MemoryPeer } from './memory-peer.testing.ts';
import { ScriptedPeer } from './scripted-peer.testing.ts';

let peer: ScriptedPeer;
let deadHost: string;
const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);

beforeAll(async () => {
  process.on('unhandledRejection', note);
  peer = await ScriptedPeer.listen();
  const closed = createServer();
  closed.listen(0, '127.0.0.1');
  await once(closed, 'listening');
  deadHost = `127.0.0.1:${(closed.address() as AddressInfo).port}`;
  closed.close();
});
afterAll(async () => {
  process.off('unhandledRejection', note);
  await peer.close();
});

function kitFor(platform: Platform): Kit {
  if (platform === 'memory') {
    const memory = new MemoryPeer();
    return new Kit({ platform, host: 'memory', deadHost, base: { socket: memory.socket }, report: (id) => memory.report(id) });
  }
  return new Kit({ platform, host: peer.host, deadHost, base: platform === 'ws' ? { WebSocket } : {}, report: (id) => peer.report(id) });
}

const OWN = typeof (globalThis as { WebSocket?: unknown }).WebSocket === 'function';
const UNTESTED = OWN ? '' : `: NOT TESTED, Node ${process.versions.node} has no WebSocket of its own; "npm run test:current" has one`;

it('the table has 200 cases and more, each with a name of its own', () => {
  expect(CONFORMANCE_CASES.length).toBeGreaterThan(200);
  expect(new Set(CONFORMANCE_CASES.map(({ name }) => name)).size).toBe(CONFORMANCE_CASES.length);
});

for (const [platform, title] of [
  ['memory', 'in memory'],
  ['ws', 'over ws'],
  ['node', `over Node’s own WebSocket${UNTESTED}`],
] as const) {
  describe.skipIf(platform === 'node' && !OWN)(`a channel ${title}`, () => {
    it.each(casesOn(platform))('$name', async (one) => {
      expect(await runCase(one, kitFor(platform))).toEqual(expectedOn(one, platform));
    });

    it('leaves no promise unhandled, and no connection open', async () => {
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).toEqual([]);
      // Node's own WebSocket holds a connection whose handshake was called off for four seconds more; and one whose peer does
      // not answer a close cannot be ended at all.
      const open = (): readonly string[] => peer.open.filter((request) => platform !== 'node' || !request.includes('"onClose":"ignore"'));
      await expect.poll(open, { timeout: 15_000 }).toEqual([]);
    });
  });
}
