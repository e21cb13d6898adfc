/**
 * Readers that do not read, and readers that give no credit: what the server holds for them is bounded, and nobody else
 * misses anything. `websocket.test.ts` has one reader that is slow and gets everything in the end.
 */

import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { RawClient } from './raw-client.testing.ts';
import { endAll, newHub, start, welcomed } from './real-peer.testing.ts';
import { createMemoryStore } from './store-memory.ts';

afterEach(endAll);

const SUBSCRIBE = '"subscribe":[{"id":1,"topic":"t"}]';

describe('a reader that reads nothing of a busy topic', () => {
  test.each<[string, number, number]>([
    ['entry by entry', 10_000, 1],
    // Five of them are a run, which goes to a socket as one piece: more than two frames.
    ['in runs', 4_000, 16],
  ])(
    '20 of them: each holds at most queueBytesMax and two frames, %s, and the two who read get all of 10 MB',
    async (_how, length, atOnce) => {
      // Four commits of 16 and the first run of the fifth fit, and another run does not.
      const queueBytesMax = (4 * 16 + 6) * 4_150;
      const store = createMemoryStore();
      const apply = store.apply.bind(store);
      let commits = 0;
      store.apply = (batch) => ((commits += 1), apply(batch));
      const hub = newHub({ limits: { queueBytesMax }, store });
      const server = await start({ hub });
      const served: Socket[] = [];
      server.http.on('connection', (socket) => void served.push(socket));
      const stalled = await Promise.all(
        Array.from({ length: 20 }, (_, at) =>
          RawClient.welcomed(server.port, `{"type":"hello","client":"s${at}","token":"s",${SUBSCRIBE}}`),
        ),
      );
      for (const { socket } of stalled) socket.pause();
      const readers = await Promise.all(['a', 'b'].map((name) => welcomed(server.url, `{"type":"hello","client":"${name}",${SUBSCRIBE}}`)));
      for (const reader of readers) expect(await reader.message()).toMatchObject({ type: 'subscribed' });
      const payload = 'x'.repeat(length);
      const count = Math.ceil(10_000_000 / length / atOnce) * atOnce;
      const founded = commits;
      let held = 0;
      for (let at = 0; at < count; at += atOnce) {
        await Promise.all(Array.from({ length: atOnce }, () => hub.publish('t', payload)));
        held = Math.max(held, ...served.map(({ writableLength }) => writableLength));
      }
      for (const reader of readers)
        for (let at = 1; at <= count; at++) expect(await reader.message()).toMatchObject({ type: 'entry', offset: at });
      expect(commits - founded).toBe(count / atOnce);
      expect(held).toBeGreaterThanOrEqual(queueBytesMax);
      expect(held).toBeLessThan(queueBytesMax + 2 * (payload.length + 200));
      expect(hub.stats().slowConnections).toBe(20);
    },
  );

  test('who asks for more and more without reading is closed at 8 times queueBytesMax', async () => {
    const queueBytesMax = 16_384;
    const hub = newHub({ limits: { queueBytesMax, refusalsPerSecond: Infinity } });
    const server = await start({ hub });
    const served: Socket[] = [];
    server.http.on('connection', (socket) => void served.push(socket));
    const client = await RawClient.welcomed(server.port);
    client.socket.pause();
    let held = 0;
    // Each costs an answer of about as many bytes.
    const asking = Array.from({ length: 100 }, (_, id) => `{"type":"ping","id":"${String(id).repeat(40).slice(0, 60)}"}`);
    while (hub.connectionCount > 0) {
      client.send(...asking);
      await new Promise<void>((resolve) => void setImmediate(resolve));
      held = Math.max(held, served[0]!.writableLength);
    }
    expect(held).toBeLessThan(8 * queueBytesMax + 65_536);
    expect([...hub.counters.closed]).toContainEqual([4100, 1]);
  });
});

describe('credit that is withheld', () => {
  test('a window of 1 and no word after it: 1 entry is sent of 1,000, nothing is held, and the next gets all of them', async () => {
    const hub = newHub();
    const server = await start({ hub });
    const served: Socket[] = [];
    server.http.on('connection', (socket) => void served.push(socket));
    const hostile = await RawClient.welcomed(
      server.port,
      '{"type":"hello","client":"h","token":"h","subscribe":[{"id":1,"topic":"t","credit":1}]}',
    );
    expect(await hostile.message()).toMatchObject({ type: 'subscribed' });
    for (let at = 1; at <= 1_000; at++) await hub.publish('t', at);
    expect(await hostile.message()).toMatchObject({ type: 'entry', offset: 1 });
    hostile.send('{"type":"ping","id":"end"}');
    expect(await hostile.message()).toEqual({ type: 'pong', id: 'end' });
    expect([served[0]!.writableLength, hub.stats().waitingReads]).toEqual([0, 0]);
    const reader = await welcomed(server.url, '{"type":"hello","client":"r","subscribe":[{"id":1,"topic":"t","last":1000}]}');
    expect(await reader.message()).toMatchObject({ type: 'subscribed' });
    for (let at = 1; at <= 1_000; at++) expect(await reader.message()).toMatchObject({ type: 'entry', offset: at });
  });

  test('credit beyond all bounds is credit for what there is: the window cannot be made to overflow', async () => {
    const hub = newHub();
    const { port } = await start({ hub });
    const client = await RawClient.welcomed(
      port,
      `{"type":"hello","client":"h","token":"h","subscribe":[{"id":1,"topic":"t","credit":${Number.MAX_SAFE_INTEGER}}]}`,
    );
    expect(await client.message()).toMatchObject({ type: 'subscribed' });
    client.send({ type: 'credit', topic: 't', upTo: Number.MAX_SAFE_INTEGER }, { type: 'credit', topic: 't', upTo: 0 });
    for (let at = 1; at <= 3; at++) {
      await hub.publish('t', at);
      expect(await client.message()).toMatchObject({ type: 'entry', offset: at });
    }
  });
});
