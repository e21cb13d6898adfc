import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from './moment.ts';
import { LinkProxy } from './proxy.ts';

const PATIENCE_MS = 10_000;

let server: Server;
let accepted: Socket[];
let proxy: LinkProxy;
let client: Socket;
let heard: string;
let errors: string[];

beforeEach(async () => {
  [accepted, heard, errors] = [[], '', []];
  server = createServer((socket) => {
    socket.on('error', () => {});
    accepted.push(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await LinkProxy.open((server.address() as AddressInfo).port);
  client = await connected();
  client.on('data', (chunk) => (heard += String(chunk)));
  client.on('error', ({ code }: NodeJS.ErrnoException) => errors.push(code ?? ''));
  await until(() => accepted.length === 1, PATIENCE_MS);
});

afterEach(async () => {
  client.destroy();
  await proxy.close();
  for (const socket of accepted) socket.destroy();
  server.close();
});

async function connected(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** What the server hears of the first connection. */
function listenOnServer(): () => string {
  let text = '';
  accepted[0]!.on('data', (chunk) => (text += String(chunk)));
  return () => text;
}

test('a sound link passes both ways, counts its connections, and passes its end on', async () => {
  const told = listenOnServer();
  accepted[0]!.write('down');
  client.write('up');
  expect(await until(() => heard === 'down' && told() === 'up', PATIENCE_MS)).toBe(true);
  expect(proxy.arrivalsMs).toHaveLength(1);
  const ended = once(accepted[0]!, 'end');
  client.end();
  await ended;
});

test('a frozen link passes nothing, a new one is sound, and after the reset what was under way is lost on both sides', async () => {
  const told = listenOnServer();
  proxy.freeze();
  accepted[0]!.write('never');
  client.write('never');
  const other = await connected();
  other.on('data', (chunk) => (heard += String(chunk)));
  await until(() => accepted.length === 2, PATIENCE_MS);
  accepted[1]!.write('new');
  expect(await until(() => heard !== '', PATIENCE_MS)).toBe(true);
  other.destroy();
  proxy.reset();
  expect(await until(() => client.closed && accepted[0]!.closed, PATIENCE_MS)).toBe(true);
  expect({ heard, told: told(), errors }).toEqual({ heard: 'new', told: '', errors: ['ECONNRESET'] });
});

test('a half-open link takes what is sent and says nothing, not even its end', async () => {
  const told = listenOnServer();
  proxy.swallow();
  await new Promise<void>((resolve) => client.write('x'.repeat(8_000_000), () => resolve()));
  let isOver = false;
  client.on('close', () => (isOver = true));
  accepted[0]!.destroy();
  // Two ways to and fro over a sound link: what was to come would have come.
  const other = await connected();
  await until(() => accepted.length === 2, PATIENCE_MS);
  accepted[1]!.write('sound');
  await once(other, 'data');
  other.destroy();
  expect({ told: told(), isOver, errors }).toEqual({ told: '', isOver: false, errors: [] });
});

test('a slow link passes everything, in parts', async () => {
  proxy.throttle(1_000_000);
  const sizes: number[] = [];
  client.on('data', (chunk) => sizes.push(chunk.length));
  accepted[0]!.write('x'.repeat(300_000));
  expect(await until(() => heard.length === 300_000, PATIENCE_MS)).toBe(true);
  expect(sizes.length).toBeGreaterThan(1);
});
