import type { ClientSocket } from '@holdfast/client';
import type { Socket } from '@holdfast/server';
import { beforeEach, describe, expect, test } from 'vitest';
import { Network, type Route } from './network.ts';
import { Process } from './process.ts';
import { Chance } from './random.ts';
import { Timeline } from './timeline.ts';
import { Trace } from './trace.ts';

let timeline: Timeline;
let network: Network;
let client: Process;
let server: Process;
let route: Route;
/** What the client and the server were told. */
let atClient: string[];
let atServer: string[];
let accepted: Socket;
let socket: ClientSocket;

function show(frame: string | Uint8Array): string {
  return typeof frame === 'string' ? frame : `bytes ${[...frame].join()}`;
}

function connect(): void {
  socket = network.socketFactory(client, route)(
    'ws://x',
    { protocols: [] },
    {
      onOpen: () => atClient.push('open'),
      onMessage: (frame) => atClient.push(show(frame)),
      onClose: ({ code }) => atClient.push(`closed ${code}`),
    },
  );
}

async function run(ms: number): Promise<void> {
  await timeline.run(timeline.nowMs + ms, () => false);
}

beforeEach(() => {
  timeline = new Timeline((error) => {
    throw error;
  });
  const chance = new Chance(1);
  network = new Network(timeline, chance, new Trace(timeline, undefined));
  client = new Process('client', timeline, chance, { skewMs: 0 });
  server = new Process('server', timeline, chance, { skewMs: 0 });
  route = { quality: { latencyMs: 10, jitterMs: 5, bytesPerMs: Infinity }, connects: 'accepted' };
  atClient = [];
  atServer = [];
  network.door = {
    process: server,
    accept: (given) => {
      accepted = given;
      given.listen({
        onFrame: (frame) => atServer.push(show(frame)),
        onDrain: () => atServer.push('drain'),
        onClose: (code) => atServer.push(`closed ${code}`),
      });
    },
  };
  connect();
});

describe('the network', () => {
  test('frames arrive in order, whatever the jitter, and none before its time', async () => {
    await run(100);
    for (let n = 0; n < 50; n++) socket.send(String(n));
    accepted.send(Uint8Array.of(1, 2));
    await run(9);
    expect([atClient, atServer]).toEqual([['open'], []]);
    await run(10);
    expect(atServer).toEqual(Array.from({ length: 50 }, (_, n) => String(n)));
    expect(atClient).toEqual(['open', 'bytes 1,2']);
  });

  test('a frame is what it was when it was sent', async () => {
    await run(100);
    const bytes = Uint8Array.of(1);
    socket.send(bytes);
    bytes[0] = 2;
    await run(100);
    expect(atServer).toEqual(['bytes 1']);
  });

  test('a cut keeps a beginning of what is under way, of each direction its own, and loses the rest', async () => {
    const kept: [number, number][] = [];
    for (let round = 0; round < 30; round++) {
      if (round > 0) connect();
      await run(100);
      [atClient, atServer] = [[], []];
      for (let n = 0; n < 10; n++) {
        socket.send(String(n));
        accepted.send(String(n));
      }
      for (const link of network.links) link.cut(50, 50);
      socket.send('too late');
      await run(1_000);
      expect(atClient.pop()).toBe('closed 1006');
      expect(atServer.pop()).toBe('closed 1006');
      for (const seen of [atClient, atServer]) expect(seen).toEqual(Array.from({ length: seen.length }, (_, n) => String(n)));
      kept.push([atClient.length, atServer.length]);
    }
    expect(new Set(kept.map(([one]) => one)).size).toBeGreaterThan(4);
    expect(kept.some(([one, other]) => one !== other)).toBe(true);
  });

  test('a half-open connection says nothing to anybody, and its buffer only grows', async () => {
    await run(100);
    for (const link of network.links) link.cut(undefined, undefined);
    accepted.send('x'.repeat(96));
    socket.send('x');
    await run(600_000);
    expect([atClient, atServer, accepted.bufferedBytes]).toEqual([['open'], [], 100]);
  });

  test('a slow link holds bytes back, and says when they have left', async () => {
    await run(100);
    route.quality = { ...route.quality, bytesPerMs: 1 };
    accepted.send('x'.repeat(996));
    expect(accepted.bufferedBytes).toBe(1_000);
    await run(999);
    expect([accepted.bufferedBytes, atServer]).toEqual([1_000, []]);
    await run(2);
    expect([accepted.bufferedBytes, atServer]).toEqual([0, ['drain']]);
  });

  test('a close is answered: both sides learn its code, and what was sent before it arrives', async () => {
    await run(100);
    accepted.send('last');
    accepted.close(4200, 'GOING_AWAY');
    accepted.send('after');
    await run(100);
    expect([atClient, atServer]).toEqual([['open', 'last', 'closed 4200'], ['closed 4200']]);
  });

  test('a close that is never answered ends by itself', async () => {
    await run(100);
    for (const link of network.links) link.cut(undefined, undefined);
    accepted.close(4200, 'GOING_AWAY');
    await run(31_000);
    expect([atClient, atServer]).toEqual([['open'], ['closed 1006']]);
  });

  test('who abandons a socket hears nothing more; the other side does', async () => {
    await run(100);
    accepted.send('x');
    socket.abandon();
    await run(100);
    expect([atClient, atServer]).toEqual([['open'], ['closed 1006']]);
  });

  test('connections are refused, swallowed, or find nobody', async () => {
    await run(100);
    route.connects = 'refused';
    connect();
    await run(100);
    route.connects = 'swallowed';
    connect();
    await run(100_000);
    route.connects = 'accepted';
    network.door = undefined;
    connect();
    await run(100);
    expect(atClient).toEqual(['open', 'closed 1006', 'closed 1006']);
  });

  test('a dead process is heard of, unless its machine lost its power', async () => {
    await run(100);
    server.kill();
    network.bury(server, false);
    socket.send('x');
    await run(100);
    expect([atClient, atServer]).toEqual([['open', 'closed 1006'], []]);
    server = new Process('server2', timeline, new Chance(2), { skewMs: 0 });
    network.door = { process: server, accept: (given) => (accepted = given) };
    connect();
    await run(100);
    server.kill();
    network.bury(server, true);
    await run(100_000);
    expect(atClient).toEqual(['open', 'closed 1006', 'open']);
    expect(network.links).toHaveLength(1);
  });
});
