/** What is said of a Holdfast server: the product itself, and ones that behave oddly (PROTOCOL.md HF-2, HF-3, HF-8). */

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { HoldfastError } from '@holdfast/wire';
import { describe, expect, test } from 'vitest';
import { createHub, createMemoryStore } from '@holdfast/server';
import { diagnosis, holdfastLike, linesOf, realServer, say, scripted, switching, WELCOME } from './doctor-server.testing.ts';

describe('a Holdfast server', () => {
  test('that is well: every step, in order', async () => {
    const { port } = await realServer();
    const { code, text } = await diagnosis(`ws://localhost:${port}/`, { token: 'ann-of-the-hill', idle: 1, large: true });
    expect(text.split('\n').map((line) => line.slice(9, 21).trim())).toEqual(
      'url,environment,dns,tcp,upgrade,subprotocol,compression,hello,clock,heartbeat,limits,token,round trip,large,idle'
        .split(',')
        .concat('ll.', ''),
    );
    expect(linesOf(text, 'subprotocol')).toEqual(['ok the server selected holdfast.v1']);
    expect(linesOf(text, 'compression')).toEqual(['ok off, also when it is offered']);
    expect(linesOf(text, 'clock')[0]).toMatch(/^ok the server's clock/);
    expect(linesOf(text, 'heartbeat')).toEqual(['ok the server sends something every 25 s at least']);
    expect(linesOf(text, 'limits')).toEqual(['ok all as by default']);
    expect(linesOf(text, 'round trip')[0]).toMatch(/^ok 3 pings: half came back within [\d.]+ m?s, 95 % within [\d.]+ m?s$/);
    expect(linesOf(text, 'large')).toEqual(['ok a frame of 262144 bytes, the largest, arrived']);
    expect(linesOf(text, 'idle')[0]).toMatch(/^ok the connection held 1 s in which nothing was said/);
    expect(text).toMatch(/\nAll is well\.\n$/);
    expect(code).toBe(0);
  });

  test('HF-3.3: that refuses the token gives its code and hint, never the token', async () => {
    const authenticate = (): never => {
      throw new HoldfastError('UNAUTHENTICATED', 'bad signature', { hint: 'Sign it with the right key.' });
    };
    const { port } = await realServer({ paths: { '/': { authenticate } } });
    const { code, text } = await diagnosis(`ws://localhost:${port}/`, { token: 'token-of-ann' });
    expect(linesOf(text, 'hello')).toEqual([
      'failed UNAUTHENTICATED: bad signature, then close 4300: the credentials are missing or not valid, "UNAUTHENTICATED" -> Sign it with the right key.',
    ]);
    expect(text).not.toContain('token-of-ann');
    expect(code).toBe(1);
  });

  test('HF-3.3: that wants a token, where none is given', async () => {
    const address = await holdfastLike((socket) => {
      say(socket, { type: 'error', code: 'UNAUTHENTICATED', message: 'no token', retryable: false });
      socket.close(4300, 'UNAUTHENTICATED');
    });
    const { code, text } = await diagnosis(`ws://${address}/`);
    expect(linesOf(text, 'hello')[0]).toMatch(
      /^failed UNAUTHENTICATED: no token, then close 4300: .* -> Get a fresh token .* No token was given here: --token TOKEN\.$/,
    );
    expect(code).toBe(1);
  });

  test('HF-2.5: that refuses the origin', async () => {
    const { port } = await realServer();
    const { code, text } = await diagnosis(`ws://localhost:${port}/`, { origin: 'https://evil.example.com' });
    expect(linesOf(text, 'hello')[0]).toMatch(/^failed ORIGIN_REFUSED: .*, then close 4002: this client may not connect here/);
    expect(code).toBe(1);
  });

  test('HF-2.2: that has no such path', async () => {
    const { port } = await realServer();
    const { code, text } = await diagnosis(`ws://localhost:${port}/chat`);
    expect(linesOf(text, 'upgrade')).toEqual([
      'failed HTTP 404 Not Found: there is nothing at /chat; it says "no WebSocket endpoint here." -> Check the path; a proxy may also add or cut a prefix.',
    ]);
    expect(code).toBe(1);
  });

  test('HF-2.6: that is full', async () => {
    const hub = createHub({ store: createMemoryStore(), maintainIntervalMs: 0, limits: { connectionsMax: 1 } });
    const { port, url } = await realServer({ hub });
    await once(new WebSocket(url), 'open');
    const { code, text } = await diagnosis(`ws://localhost:${port}/`);
    expect(linesOf(text, 'upgrade')[0]).toMatch(
      /^failed HTTP 503 Service Unavailable, Retry-After: \d+: it takes no more connections now.*; it says "\{"code":"/,
    );
    expect(code).toBe(1);
  });

  test('HF-3.8: whose credentials end soon', async () => {
    const address = await answering({ expiresAt: 1_800_000_020_000, time: 1_800_000_000_000 }, {});
    const { code, text } = await diagnosis(`ws://${address}/`, {}, { now: () => 1_800_000_000_000 });
    expect(linesOf(text, 'token')).toEqual([
      'warning the credentials end in 20 s -> Issue tokens for some minutes at least; a client renews them by "auth" (HF-3.6).',
    ]);
    expect(code).toBe(0);
  });

  test('HF-3.8: whose credentials last', async () => {
    const address = await answering({ expiresAt: 1_800_003_600_000, time: 1_800_000_000_000 }, {});
    const { text } = await diagnosis(`ws://${address}/`, {}, { now: () => 1_800_000_000_000 });
    expect(linesOf(text, 'token')).toEqual(['ok the credentials end in 60 min']);
  });

  test.each([
    [120_000, /^warning the server's clock is 120 s ahead of this machine's \(give or take .*\) -> Set the wrong one of the two by NTP/],
    [-120_000, /^warning the server's clock is 120 s behind this machine's/],
  ])('whose clock is %d ms off', async (skewMs, sentence) => {
    const address = await answering({ time: 1_800_000_000_000 + skewMs }, {});
    const { code, text } = await diagnosis(`ws://${address}/`, {}, { now: () => 1_800_000_000_000 });
    expect(linesOf(text, 'clock')[0]).toMatch(sentence);
    expect(code).toBe(0);
  });

  test('HF-8.1: with a slow heartbeat and limits of its own', async () => {
    const { code, text } = await diagnosis(`ws://${await answering({ heartbeatMs: 90_000 }, {})}/`);
    expect(linesOf(text, 'heartbeat')[0]).toMatch(
      /^warning the server sends something every 90 s at least -> Many proxies end connections that were idle for 60 s/,
    );
    expect(linesOf(text, 'limits')).toEqual(['ok as by default but frameBytesMax 4096']);
    expect(text).toMatch(/\nIt works, with 1 warning\.\n$/);
    expect(code).toBe(0);
  });

  test('HF-3.10: gets the token in the first frame alone, and compression is offered by hand only', async () => {
    const heads: string[] = [];
    const address = await scripted((socket, request) => {
      heads.push(request);
      switching({ 'Sec-WebSocket-Protocol': 'holdfast.v1' }, () => heads.length === 3 && socket.end())(socket, request);
    });
    const { code, text } = await diagnosis(`ws://${address}/`, { token: 'token-of-ann' });
    expect(linesOf(text, 'hello')[0]).toMatch(/^failed the connection ended before the welcome \(1006: /);
    expect(heads.join('')).not.toContain('token-of-ann');
    expect(heads.map((head) => /^sec-websocket-extensions:/im.test(head))).toEqual([false, true, false]);
    expect(code).toBe(1);
  });

  test('HF-2.1: behind something that compresses', async () => {
    const address = await holdfastLike(
      (socket, { type, id }) => {
        say(socket, type === 'hello' ? { ...WELCOME, time: Date.now() } : { type: 'pong', id });
      },
      { perMessageDeflate: true },
    );
    const { code, text } = await diagnosis(`ws://${address}/`);
    expect(linesOf(text, 'compression')[0]).toMatch(
      /^warning something on the way takes compression up \(permessage-deflate.*\), which a Holdfast server never does -> Switch it off there/,
    );
    expect(code).toBe(0);
  });

  test('that says nothing', async () => {
    const { code, text } = await diagnosis(`ws://${await holdfastLike(() => {})}/`, { seconds: 1 });
    expect(linesOf(text, 'hello')).toEqual([
      'failed no welcome within 1 s -> The server took the subprotocol and says nothing: look at its log, and at proxies that buffer.',
    ]);
    expect(code).toBe(1);
  });

  test('that closes', async () => {
    const { code, text } = await diagnosis(`ws://${await holdfastLike((socket) => socket.close(4100, 'OVERLOADED'))}/`);
    expect(linesOf(text, 'hello')).toEqual([
      'failed the connection ended before the welcome (4100: the server has too much to do, "OVERLOADED") -> Come back after a while.',
    ]);
    expect(code).toBe(1);
  });

  test('that speaks something else under the same name', async () => {
    const { code, text } = await diagnosis(`ws://${await holdfastLike((socket) => socket.send('hello yourself'))}/`);
    expect(linesOf(text, 'protocol')[0]).toMatch(/^failed what came is not of the protocol: not JSON/);
    expect(code).toBe(1);
  });

  test('that does not answer pings', async () => {
    const address = await holdfastLike((socket, { type }) => {
      if (type === 'hello') say(socket, { ...WELCOME, time: Date.now() });
    });
    const { code, text } = await diagnosis(`ws://${address}/`, { seconds: 1 });
    expect(linesOf(text, 'round trip')[0]).toMatch(
      /^failed one of the pings was not answered within 1 s -> Something on the way holds frames back/,
    );
    expect(code).toBe(1);
  });

  test('HF-4.3: behind a gateway that takes no large frame', async () => {
    const address = await answering({}, { large: (socket) => socket.close(1009, 'TOO_LARGE') });
    const { code, text } = await diagnosis(`ws://${address}/`, { large: true });
    expect(linesOf(text, 'large')).toEqual([
      'failed a frame of 4096 bytes ended the connection (1009: a frame was too large, "TOO_LARGE") -> A proxy or gateway on the way has a smaller bound than the server: raise it, or lower frameBytesMax to it.',
    ]);
    expect(code).toBe(1);
  });

  test('behind a proxy that ends idle connections', async () => {
    const address = await answering({}, { ponged: (socket) => void setImmediate(() => socket.terminate()) }, 3);
    const { code, text } = await diagnosis(`ws://${address}/`, { idle: 20 });
    expect(linesOf(text, 'idle')[0]).toMatch(
      /^failed the connection ended after .* in which nothing was said \(1006: the connection broke off without a word\) -> A proxy, load balancer or firewall on the way ends idle connections: raise its idle timeout above the heartbeat\.$/,
    );
    expect(code).toBe(1);
  });

  test('HF-8.1: its heartbeat is answered while idle', async () => {
    const pongs: unknown[] = [];
    const address = await answering(
      {},
      {
        ponged: (socket) => say(socket, { type: 'ping', id: 'beat' }),
        pong: (socket, id) => {
          pongs.push(id);
          socket.close(4200, 'GOING_AWAY');
        },
      },
      3,
    );
    const { code, text } = await diagnosis(`ws://${address}/`, { idle: 20 });
    expect(pongs).toEqual(['beat']);
    expect(linesOf(text, 'idle')[0]).toMatch(
      /\(4200: the server is shutting down, "GOING_AWAY"\) -> The server ended it itself: the code says why/,
    );
    expect(code).toBe(1);
  });
});

type Peer = Parameters<Parameters<typeof holdfastLike>[0]>[0];

interface Behaviour {
  readonly large?: (socket: Peer) => void;
  /** After the pong of the last measured ping. */
  readonly ponged?: (socket: Peer) => void;
  readonly pong?: (socket: Peer, id: unknown) => void;
}

/** Welcomes and answers pings, but for what is given. */
function answering(welcome: object, { large, ponged, pong }: Behaviour, pingCount = 0): Promise<string> {
  return holdfastLike((socket, { type, id }, text) => {
    if (type === 'hello') say(socket, { ...WELCOME, time: Date.now(), ...welcome });
    if (type === 'pong') pong?.(socket, id);
    if (type !== 'ping') return;
    if (large !== undefined && text.length > 1_000) return large(socket);
    say(socket, { type: 'pong', id });
    if (id === pingCount) ponged?.(socket);
  });
}
