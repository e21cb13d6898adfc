/** What answers to an upgrade are said to mean, by scripted servers (RFC 6455 section 4.1). */

import { describe, expect, test } from 'vitest';
import { answering, diagnosis, linesOf, scripted, silent, switching } from './doctor-server.testing.ts';

const PASS = 'Let every proxy on the way pass "Upgrade" and "Connection" on with HTTP/1.1, and check the path.';
const NGINX =
  'In nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; Then check the path.';

describe('an upgrade that is refused', () => {
  test.each([
    [
      '200 OK',
      {},
      '<html><head><title>x</title></head><body>Welcome <b>home</b></body></html>',
      `HTTP 200 OK: answered as a page: a proxy takes the Upgrade away, or there is no WebSocket at this path; it says "Welcome home" -> ${PASS}`,
    ],
    [
      '200 OK',
      { Server: 'nginx/1.26.0' },
      '',
      `HTTP 200 OK: answered as a page: a proxy takes the Upgrade away, or there is no WebSocket at this path -> ${NGINX}`,
    ],
    [
      '301 Moved Permanently',
      { Location: 'https://chat.example.com/ws?next=secret' },
      '',
      'HTTP 301 Moved Permanently: it redirects to wss://chat.example.com/ws?next=***, and WebSockets follow no redirect -> Connect to that address, or let the proxy answer here.',
    ],
    [
      '302 Found',
      { Location: '/login?return=abc' },
      '',
      /^failed HTTP 302 Found: it redirects to ws:\/\/localhost:\d+\/login\?return=\*\*\*, and WebSockets follow no redirect -> It leads to a login: exempt/,
    ],
    [
      '308 Permanent Redirect',
      {},
      '',
      'HTTP 308 Permanent Redirect: it redirects to nowhere -> Look at the configuration of the server or proxy.',
    ],
    [
      '400 Bad Request',
      {},
      'no',
      `HTTP 400 Bad Request: the request was not understood as an upgrade; proxies that strip "Upgrade" or "Connection" cause it; it says "no" -> ${PASS}`,
    ],
    [
      '400 Bad Request',
      { Server: 'nginx' },
      '<center>The plain HTTP request was sent to HTTPS port</center>',
      /^failed HTTP 400 Bad Request: the port speaks TLS; it says .* -> Write wss:\/\/ instead of ws:\/\/\.$/,
    ],
    [
      '400 Bad Request',
      {},
      '{"code":0,"message":"Transport unknown"}',
      /this is a Socket\.IO server, which speaks a protocol of its own; .* -> Connect with its own client/,
    ],
    [
      '401 Unauthorized',
      {},
      '',
      'HTTP 401 Unauthorized: it wants credentials -> Give a token: --token TOKEN; with --plain it goes along as "Authorization: Bearer".',
    ],
    [
      '403 Forbidden',
      {},
      '',
      'HTTP 403 Forbidden: it is forbidden -> Servers that look at the Origin refuse what has none: try --origin https://app.example.com; else a firewall, or a missing right.',
    ],
    [
      '404 Not Found',
      {},
      'nothing here',
      'HTTP 404 Not Found: there is nothing at /ws; it says "nothing here" -> Check the path; a proxy may also add or cut a prefix.',
    ],
    ['405 Method Not Allowed', {}, '', `HTTP 405 Method Not Allowed: this path takes no upgrade -> ${PASS}`],
    ['407 Proxy Authentication Required', {}, '', /a proxy or a portal of this network wants a login first -> Log in to the network/],
    ['408 Request Timeout', {}, '', /the server waited for more of the request -> Something on the way holds the request back/],
    ['421 Misdirected Request', {}, '', /this server does not serve this name -> Add the name/],
    [
      '426 Upgrade Required',
      { Server: 'nginx/1.26.0' },
      '',
      `HTTP 426 Upgrade Required: the server saw no upgrade: something on the way took it out -> ${NGINX}`,
    ],
    [
      '426 Upgrade Required',
      { 'Sec-WebSocket-Version': '7, 8' },
      '',
      'HTTP 426 Upgrade Required: the server speaks other versions of WebSockets only (7, 8) -> Update the server: RFC 6455 is version 13.',
    ],
    [
      '429 Too Many Requests',
      { 'Retry-After': '17' },
      '',
      'HTTP 429 Too Many Requests, Retry-After: 17: too many connections in too short a time -> Wait as long as it says, and let clients come back after a growing delay.',
    ],
    [
      '500 Internal Server Error',
      {},
      'boom',
      'HTTP 500 Internal Server Error: the server failed at the upgrade; it says "boom" -> Look at its log.',
    ],
    [
      '502 Bad Gateway',
      { Via: '1.1 varnish' },
      '',
      /^failed HTTP 502 Bad Gateway: a proxy does not reach the server behind it -> Start the server behind the proxy/,
    ],
    [
      '503 Service Unavailable',
      { 'Retry-After': '3' },
      '{"code":"OVERLOADED"}',
      'HTTP 503 Service Unavailable, Retry-After: 3: it takes no more connections now, or there is no server behind the proxy; it says "{"code":"OVERLOADED"}" -> Try again after a while; look at the load and limits of the server.',
    ],
    ['418 Teapot', {}, '', /the upgrade was refused -> Look at the log of the server, and of every proxy on the way\.$/],
  ])('%s %j %s', async (status, headers, body, sentence) => {
    const { code, text } = await diagnosis(`ws://${await scripted(answering(status, headers as Record<string, string>, body))}/ws`);
    expect(linesOf(text, 'upgrade')).toEqual([typeof sentence === 'string' ? `failed ${sentence}` : expect.stringMatching(sentence)]);
    expect(text).toMatch(/\nIt does not work: 1 failure\.\n$/);
    expect(code).toBe(1);
  });

  test('is read in chunks, and after heads of 1xx', async () => {
    const script =
      'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n5\r\n away\r\n0\r\n\r\n';
    const { code, text } = await diagnosis(`ws://${await scripted((socket) => void socket.end(script))}/`);
    expect(linesOf(text, 'upgrade')[0]).toContain('HTTP 404 Not Found: there is nothing at /; it says "gone away"');
    expect(code).toBe(1);
  });

  test('as it comes from a proxy, names the proxy', async () => {
    const { text } = await diagnosis(
      `ws://${await scripted(answering('502 Bad Gateway', { Via: '1.1 varnish', 'X-Powered-By': 'Express' }))}/`,
    );
    expect(linesOf(text, 'via')).toEqual(['ok the answer passed through Varnish (Via: 1.1 varnish; X-Powered-By: Express)']);
  });

  test('for its origin is told apart from a refusal of everybody', async () => {
    const address = await scripted((socket, request) => {
      if (/^origin:/im.test(request)) answering('403 Forbidden')(socket, request);
      else switching()(socket, request);
    });
    const { code, text } = await diagnosis(`ws://${address}/`, { plain: true, origin: 'https://app.example.com' });
    expect(linesOf(text, 'upgrade')).toEqual([
      'failed HTTP 403 for the origin https://app.example.com, and none without an origin -> Add the origin to those that the server allows.',
    ]);
    expect(code).toBe(1);
  });

  test('with a token says that the token is not taken', async () => {
    const { text } = await diagnosis(`ws://${await scripted(answering('401 Unauthorized'))}/`, { plain: true, token: 'stale-token' });
    expect(linesOf(text, 'upgrade')).toEqual(['failed HTTP 401 Unauthorized: the credentials are not taken -> Get a fresh token.']);
  });
});

describe('what is no answer', () => {
  test('another protocol', async () => {
    const { code, text } = await diagnosis(`ws://${await silent((socket) => void socket.end('SSH-2.0-OpenSSH_9.2\u001B[2J\r\n'))}/`);
    expect(linesOf(text, 'upgrade')).toEqual([
      'failed the answer is not HTTP: "SSH-2.0-OpenSSH_9.2 [2J" -> Another program listens on this port: check host and port.',
    ]);
    expect(code).toBe(1);
  });

  test('an alert of TLS', async () => {
    const { code, text } = await diagnosis(`ws://${await scripted((socket) => void socket.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 70])))}/`);
    expect(linesOf(text, 'upgrade')).toEqual(['failed the port speaks TLS -> Write wss:// instead.']);
    expect(code).toBe(1);
  });

  test('an end', async () => {
    const { code, text } = await diagnosis(`ws://${await scripted((socket) => void socket.end())}/`);
    expect(linesOf(text, 'upgrade')[0]).toMatch(/^failed the server ended the connection without an answer to the upgrade -> A firewall/);
    expect(code).toBe(1);
  });

  test('a reset', async () => {
    const { code, text } = await diagnosis(`ws://${await scripted((socket) => void socket.resetAndDestroy())}/`);
    expect(linesOf(text, 'upgrade')[0]).toMatch(
      /^failed the server broke the connection off without an answer to the upgrade \(ECONNRESET\)/,
    );
    expect(code).toBe(1);
  });

  test('silence', async () => {
    const { code, text } = await diagnosis(`ws://${await silent()}/`, { seconds: 1 });
    expect(linesOf(text, 'upgrade')[0]).toMatch(
      /^failed no answer to the upgrade within 1 s -> Something takes connections and says nothing/,
    );
    expect(code).toBe(1);
  });
});

describe('RFC 6455 section 4.1: an upgrade that is taken wrongly', () => {
  test.each([
    [
      { 'Sec-WebSocket-Accept': 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' },
      'HTTP 101 with a Sec-WebSocket-Accept that does not belong to the key that was sent',
    ],
    [{ 'Sec-WebSocket-Accept': undefined }, 'HTTP 101 without Sec-WebSocket-Accept'],
    [{ Upgrade: 'h2c' }, 'HTTP 101 with Upgrade: "h2c", which has to be "websocket"'],
    [{ Connection: 'close' }, 'HTTP 101 with Connection: "close", which has to be "Upgrade"'],
    [{ 'Sec-WebSocket-Extensions': 'permessage-deflate' }, 'the answer has an extension that nobody offered: "permessage-deflate"'],
    [{ 'Sec-WebSocket-Protocol': 'mqtt' }, 'the server selected the subprotocol "mqtt", which was not offered'],
  ])('%j', async (changes, sentence) => {
    const { code, text } = await diagnosis(`ws://${await scripted(switching(changes))}/`);
    expect(linesOf(text, 'upgrade')).toEqual([expect.stringMatching(/^failed .* -> .*\.$/)]);
    expect(linesOf(text, 'upgrade')[0]).toContain(`failed ${sentence} -> `);
    expect(code).toBe(1);
  });
});
