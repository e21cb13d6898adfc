/** What is said of addresses, names and what stands before the upgrade. */

import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { connectFailure } from './doctor-address.ts';
import { diagnosis, linesOf, pongs, scripted, silent, switching } from './doctor-server.testing.ts';
import { UsageError } from './failure.ts';

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

describe('the address', () => {
  test.each([
    [
      'localhost:8080/ws?ticket=secret',
      '"localhost:8080/ws" has no scheme; write ws://localhost:8080/ws, or wss://localhost:8080/ws where TLS is spoken',
    ],
    ['chat.example.com', '"chat.example.com" has no scheme; write ws://chat.example.com, or wss://chat.example.com where TLS is spoken'],
    ['ftp://chat.example.com/', 'a WebSocket begins with ws:// or wss://, not with ftp://'],
    ['ws://ann:secret@', '"ws://***@" is no address; it should look like wss://chat.example.com/realtime'],
    ['ws://host:99999/?a=secret', '"ws://host:99999/" is no address; it should look like wss://chat.example.com/realtime'],
  ])('%s cannot be used', async (address, message) => {
    const attempt = diagnosis(address);
    await expect(attempt).rejects.toThrow(UsageError);
    await expect(attempt).rejects.toThrow(new UsageError(message));
  });

  test.each([
    [{ origin: 'app.example.com' }],
    [{ origin: 'https://app.example.com/page' }],
    [{ subprotocol: 'a, b' }],
    [{ plain: true, token: 'a\r\nb' }],
  ])('nor can %j', async (values) => {
    await expect(diagnosis('ws://localhost/', values)).rejects.toThrow(UsageError);
  });

  test('of a page, and with a fragment, is examined as a browser would take it', async () => {
    const address = await scripted(switching({}, pongs));
    const { code, text } = await diagnosis(`http://${address}/#top`, { plain: true });
    expect(linesOf(text, 'url')).toEqual([
      `warning http:// is not a WebSocket address to every client; examined as ws://${address}/ -> Write ws://.`,
      'warning the address has a fragment (#...), which older browsers refuse -> Leave out what follows the #.',
    ]);
    expect(code).toBe(0);
  });

  test('with a name and password sends them, and shows neither', async () => {
    let head = '';
    const address = await scripted((socket, request) => {
      head = request;
      socket.end('HTTP/1.1 401 Unauthorized\r\n\r\nann:p%40ss is p@ss');
    });
    const { text } = await diagnosis(`ws://ann:p%40ss@${address}/`);
    expect(head).toContain(`Authorization: Basic ${Buffer.from('ann:p@ss').toString('base64')}`);
    expect(linesOf(text, 'url')[0]).toMatch(/^warning the address has a name and password in it/);
    expect(text).not.toMatch(/p%40ss|p@ss/);
  });

  test('ws:// for a page of https is blocked by browsers', async () => {
    const world = { lookup: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]) };
    const [, port] = (await scripted(switching({}, pongs))).split(':');
    const { code, text } = await diagnosis(`ws://chat.example.com:${port}/`, { plain: true, origin: 'https://app.example.com' }, world);
    expect(linesOf(text, 'url')).toEqual([
      'failed a page of https://app.example.com may not open ws://: browsers block it as mixed content -> Serve TLS, and write wss://.',
    ]);
    expect(linesOf(text, 'upgrade')).toEqual(['ok HTTP 101: the upgrade is right']);
    expect(code).toBe(1);
  });

  test.each([
    ['ws://chat.example.com:9000/', 'warning ws:// is not encrypted, and pages of https:// cannot open it'],
    ['ws://chat.example.com:443/', 'warning ws:// on port 443, where TLS is usually spoken'],
    ['wss://chat.example.com:80/', 'warning wss:// on port 80, where TLS is usually not spoken'],
    ['wss://chat.example.com:6000/', 'failed browsers refuse port 6000, whoever listens there'],
  ])('%s', async (address, sentence) => {
    const { text } = await diagnosis(address, {}, { lookup: () => Promise.resolve([]) });
    expect(linesOf(text, 'url')[0]).toContain(`${sentence} -> `);
  });
});

describe('DNS', () => {
  test.each([
    [
      'ENOTFOUND',
      "failed there is no address for the name chat.example.com (ENOTFOUND) -> Check the spelling and the name's A and AAAA records; names of a private network need its VPN or name server.",
    ],
    [
      'EAI_AGAIN',
      "failed the name server did not answer for chat.example.com (EAI_AGAIN) -> Check this machine's network and name server; the name itself may be right.",
    ],
  ])('%s', async (dnsCode, sentence) => {
    const world = { lookup: () => Promise.reject(Object.assign(new Error(dnsCode), { code: dnsCode })) };
    const { code, text } = await diagnosis('wss://chat.example.com/', {}, world);
    expect(linesOf(text, 'dns')).toEqual([sentence]);
    expect(linesOf(text, 'tcp')).toEqual([]);
    expect(code).toBe(1);
  });

  test('an address needs none', async () => {
    const { text } = await diagnosis(`ws://127.0.0.1:${await freePort()}/`);
    expect(linesOf(text, 'dns')).toEqual(['ok 127.0.0.1 is an address already']);
  });
});

describe('TCP', () => {
  test('refused', async () => {
    const port = await freePort();
    const { code, text } = await diagnosis(`ws://localhost:${port}/`);
    expect(linesOf(text, 'tcp')).toEqual([
      `failed 127.0.0.1:${port} refuses the connection: nobody listens there (ECONNREFUSED) -> Start the server, or check its port; in a container, this machine is the container itself.`,
    ]);
    expect(linesOf(text, 'upgrade')).toEqual([]);
    expect(code).toBe(1);
  });

  test('one address of two: goes on with the one that answers', async () => {
    const [, port] = (await scripted(switching({}, pongs))).split(':');
    const addresses = [
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ];
    const { code, text } = await diagnosis(`ws://localhost:${port}/`, { plain: true }, { lookup: () => Promise.resolve(addresses) });
    expect(linesOf(text, 'dns')).toEqual(['ok localhost is ::1 (IPv6), 127.0.0.1 (IPv4)']);
    // On a machine without IPv6 there is no way to ::1.
    expect(linesOf(text, 'tcp')).toEqual([
      expect.stringMatching(
        /^warning \[::1\]:\d+ (refuses the connection|cannot be reached).* -> Clients that try this address first lose time with it/,
      ),
      `ok 127.0.0.1:${port} takes connections`,
    ]);
    expect(linesOf(text, 'ping')).toHaveLength(1);
    expect(code).toBe(0);
  });

  test.each([
    ['ETIMEDOUT', 'did not answer within 10 s (ETIMEDOUT)'],
    ['ENETUNREACH', 'cannot be reached: there is no way to it (ENETUNREACH)'],
    ['EHOSTUNREACH', 'cannot be reached: there is no way to it (EHOSTUNREACH)'],
    ['ECONNRESET', 'broke the connection off at once (ECONNRESET)'],
    ['EACCES', 'may not be connected to (EACCES)'],
    ['EWHATEVER', 'takes no connection (EWHATEVER)'],
  ])('%s', (code, sentence) => {
    const { text, mend } = connectFailure(code, '10 s', false);
    expect(text).toBe(sentence);
    expect(mend).toMatch(/^[A-Z].*\.$/);
  });

  test('of another machine, says that the server may listen on its own address only', () => {
    expect(connectFailure('ECONNREFUSED', '1 ms', false).mend).toBe(
      'Start the server, check its port, and that it listens on more than 127.0.0.1.',
    );
  });
});

describe('the environment', () => {
  const world = (environment: Record<string, string>): { environment: Record<string, string>; lookup: () => Promise<[]> } => ({
    environment,
    lookup: () => Promise.resolve([]),
  });

  test.each([
    [
      { HTTPS_PROXY: 'http://ann:secret@proxy.example.com:3128' },
      /^warning HTTPS_PROXY is set \(http:\/\/proxy\.example\.com:3128\); Node's WebSockets, and this examination, go past it -> If this network/,
    ],
    [{ HTTP_PROXY: 'http://proxy.example.com' }, /^ok no proxy is set for this address$/],
    [{ all_proxy: 'proxy.example.com:1080' }, /^warning all_proxy is set \(http:\/\/proxy\.example\.com:1080\)/],
    [{ HTTPS_PROXY: 'http://proxy', NO_PROXY: 'a.com, .example.com' }, /^ok HTTPS_PROXY is set, and NO_PROXY leaves this address out$/],
    [{ HTTPS_PROXY: 'http://proxy', NO_PROXY: '*' }, /^ok HTTPS_PROXY is set, and NO_PROXY leaves this address out$/],
    [{ HTTPS_PROXY: 'http://proxy', NO_PROXY: 'example.com:8443' }, /^warning HTTPS_PROXY is set/],
    [
      { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      /^warning NODE_TLS_REJECT_UNAUTHORIZED=0 makes Node trust any server; this examination does not -> Unset it/,
    ],
  ])('%j', async (environment, sentence) => {
    const { text } = await diagnosis('wss://chat.example.com/', {}, world(environment as Record<string, string>));
    expect(linesOf(text, 'environment')[0]).toMatch(sentence);
    expect(text).not.toContain('secret');
  });

  test('a proxy is not for this machine', async () => {
    const { text } = await diagnosis(
      `ws://${await silent((socket) => socket.destroy())}/`,
      {},
      { environment: { HTTP_PROXY: 'http://proxy' } },
    );
    expect(linesOf(text, 'environment')).toEqual(['ok HTTP_PROXY is set, and not for this machine itself']);
  });
});
