/** What the load generator counts is right: a server that loses, doubles, reorders, changes or misdirects a message is found out. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { canLoad, LoadGenerator } from './load-generator.ts';

const isPossible = canLoad();
if (!isPossible) console.warn('SKIPPED: the load generator needs Linux and a C compiler (cc).');

const closings: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

/** A broadcast of one topic that sends, for the messages that came so far, what `sends` says to each subscriber. */
async function serve(sends: (messages: readonly string[]) => readonly string[]): Promise<LoadGenerator> {
  const subscribers = new Set<WebSocket>();
  const messages: string[] = [];
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket, { url }) => {
    if (url !== '/') subscribers.add(socket);
    socket.on('message', (data) => {
      const text = (data as Buffer).toString();
      if (text.startsWith('?')) return socket.send(sends([text])[0]!);
      messages.push(text);
      for (const message of sends(messages)) for (const subscriber of subscribers) subscriber.send(message);
    });
  });
  await once(server, 'listening');
  const load = new LoadGenerator('plain', (server.address() as AddressInfo).port, process.pid);
  closings.push(
    () => {
      for (const socket of server.clients) socket.terminate();
      server.close();
    },
    () => load.kill(),
  );
  return load;
}

/** Twenty messages from one publisher to three subscribers; resolves with the deliveries that were counted. */
async function deliver(load: LoadGenerator): Promise<number> {
  await load.open(0, { role: 'sub', count: 3 });
  await load.open(1, { role: 'pub', count: 1 });
  await load.begin();
  await load.send(1, { window: 4, limit: 20 });
  await load.finish();
  await load.complete(0);
  return (await load.end()).groups['0']!.deliveries;
}

const last = (messages: readonly string[]): string[] => messages.slice(-1);
const isTenth = (messages: readonly string[]): boolean => messages.length === 10;

describe.skipIf(!isPossible)('The load generator', () => {
  test('counts what was delivered in order and unchanged', async () => {
    expect(await deliver(await serve(last))).toBe(60);
  });

  test.each<[string, (messages: readonly string[]) => readonly string[], RegExp]>([
    ['loses a message', (all) => (isTenth(all) ? [] : last(all)), /message 10 of publisher 3, not 9/],
    ['sends one twice', (all) => (isTenth(all) ? [...last(all), ...last(all)] : last(all)), /message 9 of publisher 3, not 10/],
    [
      'changes the order',
      (all) => (isTenth(all) ? [] : all.length === 11 ? [all[10]!, all[9]!] : last(all)),
      /message 10 of publisher 3, not 9/,
    ],
    ['changes a letter', (all) => (isTenth(all) ? [all[9]!.slice(0, -1) + '?'] : last(all)), /a payload was changed/],
    ['sends to another topic', (all) => (isTenth(all) ? [all[9]!.replace('t0', 't1')] : last(all)), /topic t1, payload of t0/],
    ['cuts a message short', (all) => (isTenth(all) ? [all[9]!.slice(0, -1)] : last(all)), /a payload was changed/],
  ])('finds out a server that %s', async (_what, sends, message) => {
    await expect(deliver(await serve(sends))).rejects.toThrow(message);
  });

  test('counts answers, and finds out one that was changed', async () => {
    const load = await serve(last);
    await load.open(0, { role: 'call', count: 2 });
    await load.begin();
    await load.send(0, { window: 8, limit: 25 });
    await load.finish();
    expect((await load.end()).groups['0']!.replies).toBe(50);
    const other = await serve(([text]) => [`${text!.slice(0, 50)}${text![50] === 'x' ? 'y' : 'x'}${text!.slice(51)}`]);
    await other.open(0, { role: 'call', count: 1 });
    await other.send(0, { window: 1, limit: 1 });
    await expect(other.finish()).rejects.toThrow(/a reply was changed/);
  });

  test('reads on with what a paused connection has missed', async () => {
    const load = await serve(last);
    await load.open(0, { role: 'sub', count: 2 });
    await load.open(2, { role: 'sub', count: 2, counted: false });
    await load.open(1, { role: 'pub', count: 1 });
    await load.pause(2, true);
    await load.begin();
    await load.send(1, { window: 4, limit: 20 });
    await load.finish();
    expect((await load.end()).groups['2']!.deliveries).toBe(0);
    await load.pause(2, false);
    await load.complete(2);
    expect((await load.end()).groups['2']!.deliveries).toBe(40);
  });
});
