/** What is said of WebSocket servers of any kind. */

import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { answering, diagnosis, linesOf, pongs, scripted, switching, webSockets } from './doctor-server.testing.ts';

describe('a plain WebSocket server', () => {
  test('that is well, and echoes', async () => {
    const address = await webSockets((socket) => void socket.on('message', (data: Buffer) => socket.send(data.toString('utf8'))));
    const { code, text } = await diagnosis(`ws://${address}/`, { plain: true, large: true, idle: 1 });
    expect(linesOf(text, 'subprotocol')).toEqual(['ok none was offered, and none selected']);
    expect(linesOf(text, 'ping')[0]).toMatch(/^ok 3 pings: half came back within/);
    expect(linesOf(text, 'large')).toEqual(['ok a text of 65536 bytes was taken, and came back']);
    expect(linesOf(text, 'idle')).toEqual(['ok the connection held 1 s in which nothing was said']);
    expect(text).toMatch(/\nAll is well\.\n$/);
    expect(code).toBe(0);
  });

  test('without --plain is told apart from a Holdfast server, and examined all the same', async () => {
    const { code, text } = await diagnosis(`ws://${await webSockets(() => {}, { handleProtocols: () => false })}/`);
    expect(linesOf(text, 'subprotocol')).toEqual([
      'warning the server did not select holdfast.v1: it is examined as a plain WebSocket server -> If it is a Holdfast server, check the path, and proxies that remove Sec-WebSocket-Protocol; else say --plain.',
    ]);
    expect(linesOf(text, 'ping')).toHaveLength(1);
    expect(text).toMatch(/\nIt works, with 1 warning\.\n$/);
    expect(code).toBe(0);
  });

  test('that refuses a subprotocol which it does not know', async () => {
    const address = await scripted((socket, request) => {
      if (/^sec-websocket-protocol:/im.test(request)) answering('400 Bad Request')(socket, request);
      else switching({}, pongs)(socket, request);
    });
    const { code, text } = await diagnosis(`ws://${address}/`);
    expect(linesOf(text, 'subprotocol')[0]).toMatch(
      /^warning the server refuses holdfast\.v1, and takes connections without it: it is examined as a plain/,
    );
    expect(code).toBe(0);
  });

  test('that does not select the subprotocol that was asked for', async () => {
    const { code, text } = await diagnosis(`ws://${await scripted(switching())}/`, { subprotocol: 'mqtt' });
    expect(linesOf(text, 'subprotocol')[0]).toMatch(
      /^failed the server did not select mqtt, and browsers give up then -> Let the server select it/,
    );
    expect(linesOf(text, 'ping')).toEqual([]);
    expect(code).toBe(1);
  });

  test('that selects it', async () => {
    const { code, text } = await diagnosis(`ws://${await webSockets(() => {}, { handleProtocols: (offered) => [...offered][0]! })}/`, {
      subprotocol: 'mqtt',
    });
    expect(linesOf(text, 'subprotocol')).toEqual(['ok the server selected mqtt']);
    expect(code).toBe(0);
  });

  test('that compresses', async () => {
    const { code, text } = await diagnosis(`ws://${await webSockets(() => {}, { perMessageDeflate: true })}/`, { plain: true });
    expect(linesOf(text, 'compression')[0]).toMatch(/^ok on when it is offered \(permessage-deflate/);
    expect(code).toBe(0);
  });

  test('RFC 6455 section 5.5.2: that does not answer pings', async () => {
    const { code, text } = await diagnosis(`ws://${await webSockets(() => {}, { autoPong: false })}/`, { plain: true, seconds: 1 });
    expect(linesOf(text, 'ping')).toEqual([
      'warning no pong came within 1 s -> Every WebSocket must answer a ping (RFC 6455 section 5.5.2): the server does not read, or its library is not finished.',
    ]);
    expect(code).toBe(0);
  });

  test('that lets go right after it opened', async () => {
    const { code, text } = await diagnosis(`ws://${await webSockets((socket) => socket.close(1008, 'no such room'))}/`, { plain: true });
    expect(linesOf(text, 'ping')[0]).toMatch(
      /^failed the connection ended right after it opened \(1008: the server refuses this client, "no such room"\) -> The upgrade is right/,
    );
    expect(code).toBe(1);
  });

  test('that sends what is no frame', async () => {
    const address = await scripted(switching({}, (socket) => void socket.write(Buffer.from([0xf1, 0x00]))));
    const { code, text } = await diagnosis(`ws://${address}/`, { plain: true });
    expect(linesOf(text, 'ping')[0]).toMatch(/^failed the connection ended right after it opened \(\d+: .*Invalid WebSocket frame: RSV/);
    expect(code).toBe(1);
  });

  test('that has a small bound', async () => {
    const { code, text } = await diagnosis(`ws://${await webSockets(() => {}, { maxPayload: 1_000 })}/`, { plain: true, large: true });
    expect(linesOf(text, 'large')[0]).toMatch(
      /^failed a text of 65536 bytes ended the connection \(1009: a frame was too large\) -> The server, or a gateway/,
    );
    expect(code).toBe(1);
  });

  test('behind a proxy that ends idle connections, by the name of the proxy', async () => {
    let pings = 0;
    const counting = (socket: Socket): void => {
      pongs(socket, () => {
        if (++pings === 3) setImmediate(() => socket.destroy());
      });
    };
    const { code, text } = await diagnosis(`ws://${await scripted(switching({ Server: 'nginx/1.26.0' }, counting))}/`, {
      plain: true,
      idle: 20,
    });
    expect(linesOf(text, 'idle')[0]).toMatch(
      /^failed the connection ended after .* \(1006: .*\) -> In nginx: raise proxy_read_timeout \(60 s by default\) above the heartbeat\. Or let the client send pings more often\.$/,
    );
    expect(code).toBe(1);
  });

  test('gets the token as a header', async () => {
    let head = '';
    const address = await scripted((socket, request) => {
      head = request;
      answering('404 Not Found', {}, 'you sent Bearer secret-token')(socket, request);
    });
    const { text } = await diagnosis(`ws://${address}/`, { plain: true, token: 'secret-token' });
    expect(head).toMatch(/^Authorization: Bearer secret-token\r$/m);
    expect(linesOf(text, 'upgrade')[0]).toContain('it says "you sent Bearer ***"');
    expect(text).not.toContain('secret-token');
  });

  test('does not get the token of the environment, which is for Holdfast servers', async () => {
    let head = '';
    const address = await scripted((socket, request) => {
      head = request;
      answering('404 Not Found')(socket, request);
    });
    const { code } = await diagnosis(`ws://${address}/`, { plain: true }, { environment: { HOLDFAST_TOKEN: 'secret-token' } });
    expect(head).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
    expect(head).not.toMatch(/^authorization:/im);
    expect(code).toBe(1);
  });
});
