/** A link passes everything on until it is cut; then both ends lose the connection without a goodbye, and nobody gets through for a while. */

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Link } from './link.ts';

const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function stage(): Promise<{ server: Server; link: Link; target: { port: number; isUp: boolean } }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const target = { port: (server.address() as AddressInfo).port, isUp: true };
  const link = await Link.open(target);
  opened.push({ close: () => server.close() }, link);
  return { server, link, target };
}

async function call(link: Link): Promise<Socket> {
  const socket = connect({ port: link.port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

async function failureOf(socket: Socket): Promise<string | undefined> {
  const [error] = (await once(socket, 'close').catch((failure: unknown) => [failure])) as [NodeJS.ErrnoException | boolean];
  return typeof error === 'object' ? error.code : undefined;
}

test('Bytes and ends pass in both directions', async () => {
  const { server, link } = await stage();
  const [near, [far]] = await Promise.all([call(link), once(server, 'connection') as Promise<[Socket]>]);
  near.end('question');
  const question = await once(far, 'data');
  await once(far, 'end');
  far.end('answer');
  const answer = await once(near, 'data');
  await once(near, 'end');
  expect([String(question), String(answer)]).toEqual(['question', 'answer']);
});

test('A cut resets both ends, and who comes meanwhile', async () => {
  const { server, link } = await stage();
  const [near, [far]] = await Promise.all([call(link), once(server, 'connection') as Promise<[Socket]>]);
  expect(link.isInUse).toBe(true);
  link.cut(600_000);
  expect(await Promise.all([failureOf(near), failureOf(far)])).toEqual(['ECONNRESET', 'ECONNRESET']);
  expect(link.isInUse).toBe(false);
  const late = await call(link).catch((error: unknown) => error as NodeJS.ErrnoException);
  expect(late instanceof Error ? late.code : await failureOf(late)).toBe('ECONNRESET');
});

test('After its time a cut is over', async () => {
  const { server, link } = await stage();
  link.cut(1);
  const connected = once(server, 'connection') as Promise<[Socket]>;
  let near: Socket | undefined;
  let isThrough = false;
  void connected.then(() => (isThrough = true));
  while (!isThrough) {
    near = await call(link).catch(() => undefined);
    if (near !== undefined) await Promise.race([connected, failureOf(near)]);
  }
  const [far] = await connected;
  far.end('back');
  expect(String(await near!.toArray())).toBe('back');
});

test('While the server is down nobody gets through', async () => {
  const { link, target } = await stage();
  target.isUp = false;
  const near = await call(link).catch((error: unknown) => error as NodeJS.ErrnoException);
  expect(near instanceof Error ? near.code : await failureOf(near)).toBe('ECONNRESET');
});
