/** A cut within a frame must be one: the other end gets a part of the frame, and never the message. */

import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { Links, type CutPlace } from './link.ts';

interface Line {
  readonly links: Links;
  readonly send: (text: string) => void;
  readonly closed: Promise<number>;
  readonly received: string[];
  readonly server: WebSocket;
  readonly arrived: string[];
  /** Resolves with the bytes that ever came in at the server, when its end is closed. */
  readonly serverClosed: Promise<number>;
}

/** A client over a link, connected and with one message each way behind it. */
async function connected(): Promise<Line> {
  const listening = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => listening.close());
  await new Promise((resolve) => listening.once('listening', resolve));
  const { port } = listening.address() as AddressInfo;
  const links = new Links(() => 0.5);
  const [received, arrived]: [string[], string[]] = [[], []];
  let close: (code: number) => void;
  const closed = new Promise<number>((resolve) => (close = resolve));
  let greet: () => void;
  const greeted = new Promise<void>((resolve) => (greet = resolve));
  const accepted = new Promise<{ server: WebSocket; bytes: () => number }>((resolve) => {
    listening.once('connection', (server, request) => resolve({ server, bytes: () => request.socket.bytesRead }));
  });
  const socket = links.factory('ann')(
    `ws://127.0.0.1:${port}`,
    { protocols: [] },
    {
      onOpen: () => socket.send('hello'),
      onMessage: (frame) => {
        received.push(frame as string);
        greet();
      },
      onClose: ({ code }) => close(code),
    },
  );
  const { server, bytes } = await accepted;
  const serverClosed = new Promise<number>((resolve) => server.once('close', () => resolve(bytes())));
  server.on('error', () => {});
  server.on('message', (data: Buffer) => arrived.push(data.toString()));
  server.send('hello');
  await greeted;
  return { links, send: (text) => socket.send(text), closed, received, server, arrived, serverClosed };
}

function cut({ links }: Line, place: CutPlace): Promise<CutPlace> {
  return new Promise((resolve) => expect(links.cutOne(() => true, place, resolve)).toBe(true));
}

const LONG = 'x'.repeat(1_000);

describe('a link', () => {
  test('is cut at once between frames', async () => {
    const line = await connected();
    expect(await cut(line, 'between')).toBe('between');
    expect(await line.closed).toBe(1006);
    await line.serverClosed;
  });

  test('is cut within a frame that the client sends', async () => {
    const line = await connected();
    const before = (line.server as unknown as { _socket: { bytesRead: number } })._socket.bytesRead;
    const where = cut(line, 'sending');
    line.send(LONG);
    expect(await where).toBe('sending');
    expect(await line.closed).toBe(1006);
    expect((await line.serverClosed) - before).toBeLessThan(LONG.length);
    expect(line.arrived).not.toContain(LONG);
  });

  test('is cut within a frame that the client receives', async () => {
    const line = await connected();
    const where = cut(line, 'receiving');
    line.server.send(LONG);
    expect(await where).toBe('receiving');
    expect(await line.closed).toBe(1006);
    expect(line.received).toEqual(['hello']);
  });

  test('on which nothing moves is cut all the same, once, and is not chosen twice', async () => {
    const line = await connected();
    const where = cut(line, 'receiving');
    expect(
      line.links.cutOne(
        () => true,
        'between',
        () => {},
      ),
    ).toBe(false);
    expect(await where).toBe('between');
    expect(await line.closed).toBe(1006);
    expect(
      line.links.cutOne(
        () => true,
        'between',
        () => {},
      ),
    ).toBe(false);
  });
});
