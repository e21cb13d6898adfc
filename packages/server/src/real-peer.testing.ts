/** Servers and peers over real sockets on the loopback interface; all of it is ended by `endAll` after the test. */

import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import type { Json } from '@holdfast/wire';
import { expect } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { createHub, type Hub, type HubOptions } from './hub.ts';
import { listen, type HoldfastServer, type ListenOptions } from './listen.ts';
import { createMemoryStore } from './store-memory.ts';
import { SUBPROTOCOL } from './websocket.ts';

export const HELLO = '{"type":"hello","client":"tab","token":"alice"}';

/** What is to be ended after the test, last first. */
const cleanup: (() => Promise<unknown> | void)[] = [];

/** Has `end` called after the test. */
export function afterwards(end: () => Promise<unknown> | void): void {
  cleanup.push(end);
}

export async function endAll(): Promise<void> {
  for (const end of cleanup.splice(0).reverse()) await end();
}

export function newHub(options: Partial<HubOptions> = {}): Hub {
  const made = createHub({ store: createMemoryStore(), maintainIntervalMs: 0, onError: () => undefined, ...options });
  afterwards(() => made.close());
  return made;
}

/** A server on a free port, with a hub of its own unless one is given. */
export async function start(options: Partial<ListenOptions> = {}): Promise<HoldfastServer> {
  const server = await listen({ hub: options.hub ?? newHub(), port: 0, ...options });
  afterwards(() => server.close());
  return server;
}

export async function startHttp(): Promise<{ http: Server; url: string; port: number }> {
  const http = createServer();
  await new Promise<void>((resolve) => void http.listen(0, '127.0.0.1', resolve));
  afterwards(
    () =>
      new Promise<void>((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  );
  const { port } = http.address() as AddressInfo;
  return { http, port, url: `ws://127.0.0.1:${port}` };
}

/** A peer and everything that it was sent, to be taken one by one. */
export class Peer {
  readonly socket: WebSocket;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly opened: Promise<void>;
  #arrived: (string | Buffer)[] = [];
  #wanted: ((frame: string | Buffer) => void)[] = [];

  constructor(url: string, protocols: string[] = [SUBPROTOCOL], options: ClientOptions = {}) {
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: true, ...options });
    this.opened = new Promise((resolve, reject) => void this.socket.once('open', resolve).once('error', reject));
    this.opened.catch(() => undefined);
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => void this.socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })));
    this.socket.on('message', (data: Buffer, isBinary) => this.#arrive(isBinary ? data : data.toString()));
    afterwards(() => this.socket.terminate());
  }

  send(...frames: (string | Uint8Array)[]): void {
    for (const frame of frames) this.socket.send(frame);
  }

  /** The next frame. */
  next(): Promise<string | Buffer> {
    const frame = this.#arrived.shift();
    return frame === undefined ? new Promise((resolve) => this.#wanted.push(resolve)) : Promise.resolve(frame);
  }

  async message(): Promise<{ readonly [key: string]: Json }> {
    return JSON.parse((await this.next()) as string) as { readonly [key: string]: Json };
  }

  #arrive(frame: string | Buffer): void {
    const wanted = this.#wanted.shift();
    if (wanted === undefined) this.#arrived.push(frame);
    else wanted(frame);
  }
}

export async function welcomed(url: string, hello: string = HELLO): Promise<Peer> {
  const peer = new Peer(url);
  await peer.opened;
  peer.send(hello);
  expect(await peer.message()).toMatchObject({ type: 'welcome' });
  return peer;
}

/** A frame as a client must mask it (RFC 6455 section 5.3), with a key of zeros. */
export function maskedFrame(opcode: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

/** The HTTP answer to an upgrade request, and the stream that it came on. */
export function upgrade(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ response: IncomingMessage; stream?: NetSocket; body?: Promise<string> }> {
  return new Promise((resolve, reject) => {
    const asking = request({
      port,
      host: '127.0.0.1',
      path,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        ...headers,
      },
    });
    asking.once('response', (response) => {
      resolve({ response, body: textOf(response) });
    });
    asking.once('upgrade', (response, stream) => {
      afterwards(() => void stream.destroy());
      resolve({ response, stream: stream as NetSocket });
    });
    asking.once('error', reject);
    asking.end();
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}
