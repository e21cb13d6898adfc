/** The limits that hold before the upgrade, over real sockets (PROTOCOL.md HF-2.6); `limits.test.ts` reaches all of them. */

import { afterEach, describe, expect, test } from 'vitest';
import type { LimitChanges, LimitName } from './node-limits.ts';
import { endAll, newHub, start, upgrade } from './real-peer.testing.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

afterEach(endAll);

describe('HF-2.6: over a real socket the upgrade is refused with 503', () => {
  test.each<[LimitName, LimitChanges, string]>([
    ['acceptsPerSecond', { acceptsPerSecond: 1, addressAcceptsPerSecond: Infinity, burstMs: 1 }, '1'],
    ['addressAcceptsPerSecond', { addressAcceptsPerSecond: 1, burstMs: 1 }, '1'],
    ['connectionsMax', { connectionsMax: 1 }, '1'],
    ['pendingConnectionsMax', { pendingConnectionsMax: 1 }, '1'],
  ])('for %s', async (limit, limits, retryAfter) => {
    const clock = new VirtualClock();
    const hub = newHub({ limits, clock });
    const { port } = await start({ hub });
    const [first, second] = [await upgrade(port, '/'), await upgrade(port, '/')];
    expect([first, second].map(({ response }) => response.statusCode)).toEqual([101, 503]);
    expect([second.response.headers['retry-after'], hub.counters.limits.get(limit)]).toEqual([retryAfter, 1]);
    first.stream?.destroy();
    await expect.poll(() => hub.connectionCount).toBe(0);
    clock.jump(1_000);
    expect((await upgrade(port, '/')).response.statusCode).toBe(101);
  });

  test('for those who wait for their turn as for those who are not welcome yet, each counted', async () => {
    const hub = newHub({ limits: { pendingConnectionsMax: 20, acceptsPerSecond: Infinity, addressAcceptsPerSecond: Infinity } });
    const { port } = await start({ hub });
    const answers = await Promise.all(Array.from({ length: 60 }, () => upgrade(port, '/')));
    const codes = answers.map(({ response }) => response.statusCode);
    expect(codes.filter((code) => code === 101)).toHaveLength(20);
    expect(codes.filter((code) => code === 503)).toHaveLength(40);
    expect(hub.counters.limits.get('pendingConnectionsMax')).toBe(40);
  });
});
