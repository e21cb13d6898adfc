/** What certificates and handshakes are said to be, by real TLS servers with a private authority. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Authority, LACK_OF_OPENSSL } from './doctor-certificates.testing.ts';
import { diagnosis, linesOf, pongs, realServer, scripted, silent, switching } from './doctor-server.testing.ts';

const DAY_MS = 86_400_000;

describe.skipIf(LACK_OF_OPENSSL !== undefined)('TLS', () => {
  let authority: Authority;

  beforeAll(() => {
    authority = new Authority();
  });

  afterAll(() => authority.remove());

  test('a good one, of a private authority that is trusted here', async () => {
    const address = await scripted(switching({}, pongs), authority.issue());
    const { code, text } = await diagnosis(`wss://${address}/`, { plain: true }, { authorities: [authority.ca] });
    expect(linesOf(text, 'tls')).toEqual([
      expect.stringMatching(/^ok TLSv1\.3, TLS_/),
      'ok the certificate is for localhost',
      'ok issued by "Test authority", a private authority that Node trusts here; browsers need it imported as well',
      expect.stringMatching(/^ok valid until \d{4}-\d\d-\d\d, (89|90) days more$/),
    ]);
    expect(linesOf(text, 'upgrade')).toEqual(['ok HTTP 101: the upgrade is right']);
    expect(code).toBe(0);
  });

  test('a Holdfast server on wss, to its welcome', async () => {
    const { key, cert } = authority.issue();
    const files = { key: join(authority.directory, 'real.key'), cert: join(authority.directory, 'real.pem') };
    writeFileSync(files.key, key);
    writeFileSync(files.cert, cert);
    const { port } = await realServer({ tls: files });
    const { code, text } = await diagnosis(`wss://localhost:${port}/`, { token: 'ann-of-the-hill' }, { authorities: [authority.ca] });
    expect(linesOf(text, 'hello')).toEqual(['ok welcome as "***", with the token']);
    expect(text).toMatch(/\nAll is well\.\n$/);
    expect(code).toBe(0);
  });

  test('of an authority that nobody knows: says how to trust it, and sends nothing', async () => {
    let requests = 0;
    const address = await scripted(() => void requests++, authority.issue());
    const { code, text } = await diagnosis(`wss://${address}/?ticket=secret`, { token: 'secret-token' });
    expect(linesOf(text, 'tls')[2]).toBe(
      'failed issued by "Test authority", which the server does not send along and nobody here knows (UNABLE_TO_VERIFY_LEAF_SIGNATURE)' +
        ' -> Let the server send the whole chain (fullchain.pem); for a private authority, start Node with NODE_EXTRA_CA_CERTS=ca.pem, and import it into browsers.',
    );
    expect({ code, requests, upgrade: linesOf(text, 'upgrade') }).toEqual({ code: 1, requests: 0, upgrade: [] });
  });

  test('with the authority in the chain', async () => {
    const { key, cert } = authority.issue();
    const { code, text } = await diagnosis(`wss://${await scripted(switching(), { key, cert: cert + authority.ca })}/`);
    expect(linesOf(text, 'tls')[2]).toMatch(
      /^failed issued by "Test authority", a private authority that is not trusted here \(SELF_SIGNED_CERT_IN_CHAIN\) -> For a private authority, start Node with NODE_EXTRA_CA_CERTS=ca\.pem/,
    );
    expect(code).toBe(1);
  });

  test('where NODE_EXTRA_CA_CERTS is set to another one', async () => {
    const world = { environment: { NODE_EXTRA_CA_CERTS: 'other.pem' } };
    const { code, text } = await diagnosis(`wss://${await scripted(switching(), authority.selfSigned())}/`, {}, world);
    expect(linesOf(text, 'tls')[2]).toBe(
      'failed the certificate is signed by itself (DEPTH_ZERO_SELF_SIGNED_CERT)' +
        " -> Get one from an authority such as Let's Encrypt; or NODE_EXTRA_CA_CERTS is set, but its file does not have this authority.",
    );
    expect(code).toBe(1);
  });

  test('for another name', async () => {
    const address = await scripted(switching(), authority.issue({ names: 'DNS:chat.example.com,DNS:*.example.org' }));
    const { code, text } = await diagnosis(`wss://${address}/`, {}, { authorities: [authority.ca] });
    expect(linesOf(text, 'tls')[1]).toBe(
      'failed the certificate is for chat.example.com, *.example.org, not for localhost -> Connect to a name that it has, or get one that has localhost.',
    );
    expect(linesOf(text, 'upgrade')).toEqual([]);
    expect(code).toBe(1);
  });

  test('that has ended', async () => {
    const { code, text } = await diagnosis(
      `wss://${await scripted(switching(), authority.issue({ days: -1 }))}/`,
      {},
      { authorities: [authority.ca] },
    );
    expect(linesOf(text, 'tls').at(-1)).toMatch(
      /^failed the certificate ended on \d{4}-\d\d-\d\d, 1 day ago -> Renew it, and let the server read it anew\.$/,
    );
    expect(code).toBe(1);
  });

  test('that ends soon is a warning', async () => {
    const world = { authorities: [authority.ca], now: () => Date.now() + 80 * DAY_MS };
    const { code, text } = await diagnosis(`wss://${await scripted(switching({}, pongs), authority.issue())}/`, { plain: true }, world);
    expect(linesOf(text, 'tls').at(-1)).toMatch(
      /^warning the certificate ends on \d{4}-\d\d-\d\d, in (9|10) days -> See that it is renewed/,
    );
    expect(code).toBe(0);
  });

  test('that has not begun points at the clock', async () => {
    const world = { authorities: [authority.ca], now: () => Date.now() - 30 * DAY_MS };
    const { code, text } = await diagnosis(`wss://${await scripted(switching({}, pongs), authority.issue())}/`, {}, world);
    expect(linesOf(text, 'tls').at(-1)).toMatch(/^failed the certificate begins on .* only -> Check this machine's clock first/);
    expect(code).toBe(1);
  });

  test('a server that wants a certificate of the client', async () => {
    const tls = { ...authority.issue(), requestCert: true, rejectUnauthorized: true, ca: authority.ca };
    const { code, text } = await diagnosis(`wss://${await scripted(switching(), tls)}/`, {}, { authorities: [authority.ca] });
    expect(linesOf(text, 'upgrade')[0]).toMatch(
      /^failed the server wants a certificate of the client \(ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED\)/,
    );
    expect(code).toBe(1);
  });

  test('a server of old versions only', async () => {
    const tls = { ...authority.issue(), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const { code, text } = await diagnosis(`wss://${await scripted(switching(), tls)}/`);
    expect(linesOf(text, 'tls')).toEqual([
      expect.stringMatching(
        /^failed the two sides have no version of TLS in common \(.*\) -> Switch TLS 1\.2 and 1\.3 on at the server\.$/,
      ),
    ]);
    expect(code).toBe(1);
  });

  test('a server without HTTP/1.1', async () => {
    const tls = { ...authority.issue(), ALPNProtocols: ['h2'] };
    const { code, text } = await diagnosis(`wss://${await scripted(switching(), tls)}/`);
    expect(linesOf(text, 'tls')).toEqual([
      expect.stringMatching(/^failed the server does not speak HTTP\/1\.1 there \(ALPN\) .* -> Switch HTTP\/1\.1 on/),
    ]);
    expect(code).toBe(1);
  });

  test('ws:// to a port that speaks TLS', async () => {
    const { code, text } = await diagnosis(`ws://${await scripted(switching(), authority.issue())}/`);
    expect(linesOf(text, 'upgrade')).toEqual([
      expect.stringMatching(/^failed the (port speaks TLS -> Write wss:\/\/ instead|server ended the connection without)/),
    ]);
    expect(code).toBe(1);
  });
});

describe('a handshake that fails', () => {
  test('where no TLS is spoken', async () => {
    const address = await silent((socket) => void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    const { code, text } = await diagnosis(`wss://${address}/`);
    expect(linesOf(text, 'tls')[0]).toMatch(
      /^failed port \d+ speaks no TLS \(ERR_SSL_WRONG_VERSION_NUMBER\) -> Write ws:\/\/ instead of wss:\/\//,
    );
    expect(code).toBe(1);
  });

  test('where nothing is said', async () => {
    const { code, text } = await diagnosis(`wss://${await silent()}/`, { seconds: 1 });
    expect(linesOf(text, 'tls')[0]).toMatch(/^failed no answer to the handshake within 1 s \(ETIMEDOUT\)/);
    expect(code).toBe(1);
  });

  test('where it is broken off', async () => {
    const address = await silent((socket) => void socket.once('data', () => socket.destroy()));
    const { code, text } = await diagnosis(`wss://${address}/`);
    expect(linesOf(text, 'tls')[0]).toMatch(/^failed the connection was broken off in the handshake \(ECONNRESET\)/);
    expect(code).toBe(1);
  });
});
