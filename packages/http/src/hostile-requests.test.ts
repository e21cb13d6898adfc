/**
 * Requests that mean harm, over raw connections, each with the number that it is held to. Bodies that are too large, too slow or
 * broken off are in `rest-api.test.ts`, headers in `packages/server/src/listen.test.ts`.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { serveApi, type ApiServer, type ServerOptions } from './rest-api.testing.ts';

let api: ApiServer;
/** The server's ends of all connections, in the order of their coming. */
let served: Socket[];
const open: Socket[] = [];

async function start(options?: ServerOptions): Promise<void> {
  api = await serveApi(options);
  served = [];
  api.http.on('connection', (socket) => void served.push(socket));
}

afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await api.close();
});

async function connected(): Promise<Socket> {
  const socket = connect(api.port, '127.0.0.1');
  socket.on('error', () => {});
  open.push(socket);
  await once(socket, 'connect');
  return socket;
}

const ENTRIES = '/v1/topics/chat%2F42/entries';

function request(line: string, ...more: readonly string[]): string {
  return [`${line} HTTP/1.1`, 'Host: x', 'Authorization: Bearer alice', ...more, '', ''].join('\r\n');
}

describe('a client that does not read its answers', () => {
  test('asks 100 times for a page of 250 KB: at most 4 answers are held, and it is dropped when it stands still', async () => {
    await start();
    const pageBytes = 250_000;
    expect((await api.ask('POST', ENTRIES, { json: 'x'.repeat(pageBytes) })).status).toBe(201);
    const socket = await connected();
    socket.pause();
    const serverSide = served.at(-1)!;
    // A minute is long for a test.
    const setTimeoutMs = serverSide.setTimeout.bind(serverSide);
    serverSide.setTimeout = (ms: number): Socket => setTimeoutMs(Math.min(ms, 200));
    socket.write(request(`GET ${ENTRIES}`).repeat(100));
    let held = 0;
    let isOver = false;
    serverSide.once('close', () => (isOver = true));
    while (!isOver) {
      held = Math.max(held, serverSide.writableLength);
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThan(4 * (pageBytes + 1_000));
    // What it had asked for beyond that was never looked at.
    expect(api.answers.length).toBeLessThan(60);
    expect((await api.ask('GET', ENTRIES)).status).toBe(200);
  });
});

describe('one request that two servers would read in two ways (request smuggling)', () => {
  const HIDDEN = request('DELETE /v1/topics/t');

  test.each<[string, string]>([
    [
      'a length and chunks',
      request(`POST ${ENTRIES}`, `Content-Length: ${HIDDEN.length + 5}`, 'Transfer-Encoding: chunked') + `0\r\n\r\n${HIDDEN}`,
    ],
    ['two lengths', request(`POST ${ENTRIES}`, 'Content-Length: 0', `Content-Length: ${HIDDEN.length}`) + HIDDEN],
    ['a length with a sign', request(`POST ${ENTRIES}`, `Content-Length: +${HIDDEN.length}`) + HIDDEN],
    ['a length in hexadecimal', request(`POST ${ENTRIES}`, 'Content-Length: 0x10') + HIDDEN],
    ['chunks of another coding', request(`POST ${ENTRIES}`, 'Transfer-Encoding: chunked, identity') + `0\r\n\r\n${HIDDEN}`],
    ['a space before the colon', request(`POST ${ENTRIES}`, `Content-Length : ${HIDDEN.length}`) + HIDDEN],
    ['a header in two lines', request(`POST ${ENTRIES}`, 'X: a', ' Content-Length: 0', 'Transfer-Encoding:\x0bchunked') + HIDDEN],
    ['a chunk with a length that is none', request(`POST ${ENTRIES}`, 'Transfer-Encoding: chunked') + `zz\r\n${HIDDEN}`],
    ['lines that end with a line feed alone', request(`POST ${ENTRIES}`, 'Transfer-Encoding: chunked').replaceAll('\r\n', '\n') + HIDDEN],
  ])('%s: the connection ends, and the one that was hidden in it is never carried out', async (_name, bytes) => {
    await start({ isBackEnd: () => true });
    await api.hub.publish('t', 'stays');
    const socket = await connected();
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.write(bytes, 'latin1');
    await once(socket, 'close');
    expect(text.match(/HTTP\/1\.1 \d{3}/g)?.filter((status) => !/ 4\d\d$/.test(status)) ?? []).toEqual([]);
    expect(api.answers.filter(({ method }) => method === 'DELETE')).toEqual([]);
    expect((await api.ask('GET', '/v1/topics/t/entries')).body).toMatchObject({ last: 1 });
  });
});

describe('keys of idempotency', () => {
  test('that somebody else has used tell nothing of what he stored: 201 for each, with a place of its own', async () => {
    await start();
    const headers = { 'idempotency-key': '"order-1"' };
    const first = await api.ask('POST', ENTRIES, { as: 'alice', json: { card: '1234' }, headers });
    const second = await api.ask('POST', ENTRIES, { as: 'mallory', json: { card: 'guess' }, headers });
    const third = await api.ask('POST', ENTRIES, { as: 'mallory', json: { card: '1234' }, headers });
    expect([first, second, third].map(({ status }) => status)).toEqual([201, 201, 422]);
    expect(second.body).toMatchObject({ offset: 2 });
    expect(second.text + third.text).not.toContain('alice');
  });
});

describe('many at once', () => {
  async function sent(count: number): Promise<string> {
    const socket = await connected();
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    const post = (at: number): string =>
      request(`POST ${ENTRIES}`, 'Content-Type: application/json', `Content-Length: ${String(at).length}`) + at;
    const all = Array.from({ length: count }, (_, at) => post(at + 1)).join('');
    socket.write(all + request('GET /v1', 'Connection: close'));
    await new Promise<void>((resolve) => void socket.once('close', () => resolve()));
    return text;
  }

  test('100 requests in one write are answered in their order, each after the one before', async () => {
    await start();
    const offsets = [...(await sent(100)).matchAll(/"offset":(\d+)/g)].map(([, offset]) => Number(offset));
    expect(offsets).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
  });

  test('1,000 in one write: beyond 100 that wait the connection is dropped, and none of those is carried out', async () => {
    await start();
    expect(await sent(1_000)).not.toContain('there is nothing at this path');
    const { last } = (await api.ask('GET', ENTRIES)).body!;
    // What was answered before the connection was dropped, and nothing else.
    expect(last).toBe(api.answers.filter(({ status }) => status === 201).length);
    expect(last).toBeLessThan(900);
  });

  test('50 of whom 40 wait for their credentials: 503 at once for those above requestsMax, none of them is examined', async () => {
    let examined = 0;
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    await start({ requestsMax: 40, authenticate: async () => ((examined += 1), await gate, { subject: 'alice' }) });
    const asked = Array.from({ length: 40 }, () => api.ask('GET', ENTRIES));
    await expect.poll(() => examined).toBe(40);
    const more = await Promise.all(Array.from({ length: 10 }, () => api.ask('GET', ENTRIES)));
    expect([more.map(({ status }) => status), examined]).toEqual([Array<number>(10).fill(503), 40]);
    release();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(Array<number>(40).fill(200));
  });
});
