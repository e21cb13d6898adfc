/**
 * Frames that break RFC 6455, or keep to it and mean harm: over real sockets, each with the number that it is held to. Frames
 * without a mask and invalid UTF-8 are in `websocket.test.ts`, what is no message of the protocol in `fuzz.test.ts`.
 */

import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Hub } from './hub.ts';
import { RawClient, rawFrame, type FrameHead } from './raw-client.testing.ts';
import { endAll, newHub, start, welcomed, type Peer } from './real-peer.testing.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

afterEach(endAll);

const PING = 9;
const PONG = 10;
const CONTINUATION = 0;

interface Scene {
  readonly hub: Hub;
  readonly port: number;
  /** Who keeps to the rules meanwhile. */
  readonly bob: Peer;
  /** The server's ends of all sockets, in the order of their coming. */
  readonly served: readonly Socket[];
}

async function begin(options: Parameters<typeof newHub>[0] = {}): Promise<Scene> {
  const hub = newHub(options);
  const server = await start({ hub });
  const served: Socket[] = [];
  server.http.on('connection', (socket) => void served.push(socket));
  const bob = await welcomed(server.url, '{"type":"hello","client":"b","token":"bob"}');
  return { hub, port: server.port, bob, served };
}

/** The other connection never noticed, and nothing is left of the hostile one. */
async function expectUnharmed({ hub, bob }: Scene): Promise<void> {
  bob.send('{"type":"ping","id":1}');
  expect(await bob.message()).toEqual({ type: 'pong', id: 1 });
  await expect.poll(() => hub.connectionCount).toBe(1);
}

describe('a head that is none', () => {
  test.each<[string, string | Uint8Array, FrameHead, number]>([
    ['RSV1 without compression', '{}', { reserved: 4 }, 1002],
    ['RSV2', '{}', { reserved: 2 }, 1002],
    ['RSV3', '{}', { reserved: 1 }, 1002],
    ['an opcode that is reserved', '{}', { opcode: 3 }, 1002],
    ['a control opcode that is reserved', '', { opcode: 11 }, 1002],
    ['no mask', '{}', { isMasked: false }, 1002],
    ['a ping of 126 bytes', 'x'.repeat(126), { opcode: PING }, 1002],
    ['a ping in fragments', 'x', { opcode: PING, isLast: false }, 1002],
    ['a continuation of nothing', 'x', { opcode: CONTINUATION }, 1002],
    ['a length of 2^53', 'x', { claimedBytes: 2n ** 53n }, 1009],
    ['a length of 2^63', 'x', { claimedBytes: 2n ** 63n }, 1009],
    ['a length of 2^64 - 1', 'x', { claimedBytes: 2n ** 64n - 1n }, 1009],
    ['frameBytesMax and one byte', 'x', { claimedBytes: 262_145n }, 1009],
  ])('%s is ended at its head with its code of RFC 6455', async (_name, payload, head, code) => {
    const scene = await begin();
    const client = await RawClient.welcomed(scene.port);
    client.write(rawFrame(payload, head));
    expect(await client.closeCode()).toBe(code);
    await expectUnharmed(scene);
  });

  test('a new message in the middle of another one: 1002', async () => {
    const scene = await begin();
    const client = await RawClient.welcomed(scene.port);
    client.write(rawFrame('{"type":', { isLast: false }));
    client.write(rawFrame('"ping"}'));
    expect(await client.closeCode()).toBe(1002);
    await expectUnharmed(scene);
  });
});

describe('pieces of a message', () => {
  const text = `{"type":"ping","id":7,"pad":"${'x'.repeat(9_969)}"}`;

  /** One message as so many fragments of a byte each. */
  function fragments(count: number): Buffer {
    const bytes = text.slice(0, count);
    return Buffer.concat(
      [...bytes].map((byte, at) => rawFrame(byte, { opcode: at === 0 ? 1 : CONTINUATION, isLast: at === text.length - 1 })),
    );
  }

  test('10,000 fragments of one byte: 1008 at the 1,025th, and no more than 1,024 are ever held', async () => {
    const scene = await begin();
    const client = await RawClient.welcomed(scene.port);
    expect(text).toHaveLength(10_000);
    client.write(fragments(1_024));
    client.send('{"type":"ping"}');
    // A text frame in the middle of a message ends it: 1,024 alone were no reason to.
    expect(await client.closeCode()).toBe(1002);
    const another = await RawClient.welcomed(scene.port);
    another.write(fragments(10_000));
    expect(await another.closeCode()).toBe(1008);
    await expectUnharmed(scene);
  });

  test('1,000 fragments are one message', async () => {
    const scene = await begin();
    const client = await RawClient.welcomed(scene.port);
    const size = text.length / 1_000;
    for (let at = 0; at < 1_000; at++) {
      const head = { opcode: at === 0 ? 1 : CONTINUATION, isLast: at === 999 };
      client.write(rawFrame(text.slice(at * size, (at + 1) * size), head));
    }
    expect(await client.message()).toEqual({ type: 'pong', id: 7 });
  });

  test('empty continuations without end: 1008, with not a byte of the message held', async () => {
    const scene = await begin();
    const client = await RawClient.welcomed(scene.port);
    const empty = rawFrame('', { opcode: CONTINUATION, isLast: false });
    client.write(rawFrame('', { isLast: false }));
    for (let sent = 0; sent < 20; sent++) client.write(Buffer.concat(Array<Buffer>(100).fill(empty)));
    expect(await client.closeCode()).toBe(1008);
    await expectUnharmed(scene);
  });

  test('as many for each 256 bytes of a larger frameBytesMax', async () => {
    const scene = await begin({ limits: { frameBytesMax: 524_288 } });
    const client = await RawClient.welcomed(scene.port);
    client.write(fragments(2_048));
    client.write(rawFrame('', { opcode: PING }));
    expect(await client.next()).toMatchObject({ opcode: PONG });
    client.write(rawFrame('x', { opcode: CONTINUATION, isLast: false }));
    expect(await client.closeCode()).toBe(1008);
  });
});

describe('pings of RFC 6455', () => {
  // Time stands still, so that the numbers are exact.
  const FEW = (): Parameters<typeof newHub>[0] => ({
    limits: { connectionRequestsPerSecond: 10, burstMs: 1_000, refusalsPerSecond: 50 },
    clock: new VirtualClock(),
  });

  test('are answered, and counted as requests: who floods with them is closed with 4100 at the refusalsPerSecond', async () => {
    const scene = await begin(FEW());
    const client = await RawClient.welcomed(scene.port);
    // 10 within the burst, 50 against it; each is answered before the next ones come.
    for (let sent = 0; sent < 60; sent++) {
      client.write(rawFrame('x', { opcode: PING }));
      expect(await client.next()).toMatchObject({ opcode: PONG });
    }
    client.write(rawFrame('x', { opcode: PING }));
    expect(await client.message()).toMatchObject({ type: 'error', code: 'RATE_LIMITED' });
    expect(await client.closeCode()).toBe(4100);
    expect(Object.fromEntries(scene.hub.counters.limits)).toEqual({ connectionRequestsPerSecond: 51, refusalsPerSecond: 1 });
    await expectUnharmed(scene);
  });

  test('pongs that nobody asked for are counted in the same way', async () => {
    const scene = await begin(FEW());
    const client = await RawClient.welcomed(scene.port);
    for (let sent = 0; sent < 200; sent++) client.write(rawFrame('', { opcode: PONG }));
    expect(await client.closeCode()).toBe(4100);
    await expectUnharmed(scene);
  });

  test('who asks and never reads is dropped at 60 pongs that are not taken: 8 KB beyond what the network holds', async () => {
    const scene = await begin({ limits: { refusalsPerSecond: Infinity } });
    const client = await RawClient.welcomed(scene.port);
    client.socket.pause();
    const serverSide = scene.served.at(-1)!;
    let held = 0;
    const many = Buffer.concat(Array<Buffer>(50).fill(rawFrame('x'.repeat(125), { opcode: PING })));
    let isOver = false;
    serverSide.once('close', () => (isOver = true));
    while (!isOver) {
      client.write(many);
      await new Promise<void>((resolve) => void setImmediate(resolve));
      held = Math.max(held, serverSide.writableLength);
    }
    expect(held).toBeLessThanOrEqual(60 * 127);
    await expectUnharmed(scene);
  });
});
