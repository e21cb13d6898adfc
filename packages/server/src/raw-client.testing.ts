/**
 * A client that keeps to no rule: bytes over TCP, frames with whatever head, a reader that stops when it likes. It knows as
 * much of RFC 6455 as it takes to break it and to read what the server says.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Json } from '@holdfast/wire';
import { expect } from 'vitest';
import { afterwards, HELLO } from './real-peer.testing.ts';
import { SUBPROTOCOL } from './websocket.ts';

/** A frame's head as it is to be, right or wrong. */
export interface FrameHead {
  readonly opcode?: number;
  readonly isLast?: boolean;
  /** The three reserved bits, 4 being RSV1. */
  readonly reserved?: number;
  readonly isMasked?: boolean;
  /** The length that it claims. Default: that of the payload. */
  readonly claimedBytes?: bigint;
}

/** A frame of a client, masked with a key of zeros (RFC 6455 section 5.2). */
export function rawFrame(payload: string | Uint8Array, head: FrameHead = {}): Buffer {
  const { opcode = 1, isLast = true, reserved = 0, isMasked = true } = head;
  const bytes = Buffer.from(payload);
  const length = head.claimedBytes ?? BigInt(bytes.length);
  const first = (isLast ? 0x80 : 0) | (reserved << 4) | opcode;
  const mask = isMasked ? 0x80 : 0;
  const small = Buffer.from([first, mask | Number(length < 126n ? length : length < 65_536n ? 126n : 127n)]);
  const extended = Buffer.alloc(length < 126n ? 0 : length < 65_536n ? 2 : 8);
  if (extended.length === 2) extended.writeUInt16BE(Number(length));
  if (extended.length === 8) extended.writeBigUInt64BE(length);
  return Buffer.concat([small, extended, Buffer.alloc(isMasked ? 4 : 0), bytes]);
}

/** What the upgrade asks; more headers may be given as lines. */
export function upgradeRequest(path: string = '/', ...lines: readonly string[]): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...lines,
    '',
    '',
  ].join('\r\n');
}

/** One frame of the server. */
export interface Said {
  readonly opcode: number;
  readonly payload: Buffer;
}

export class RawClient {
  readonly socket: Socket;
  /** All bytes that came, until they are frames. */
  #pending: Buffer = Buffer.alloc(0);
  #frames: Said[] = [];
  #wake: (() => void)[] = [];
  #isFramed = false;
  #isOver = false;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk: Buffer) => this.#arrive(chunk));
    this.socket.on('close', () => {
      this.#isOver = true;
      this.#awake();
    });
    afterwards(() => void this.socket.destroy());
  }

  /** A connection whose upgrade was answered with 101. */
  static async upgraded(port: number, ...lines: readonly string[]): Promise<RawClient> {
    const client = new RawClient(port);
    client.write(upgradeRequest('/', `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`, ...lines));
    expect(await client.head()).toMatch(/^HTTP\/1\.1 101 /);
    return client;
  }

  /** A connection that was welcomed. */
  static async welcomed(port: number, hello: string = HELLO): Promise<RawClient> {
    const client = await RawClient.upgraded(port);
    client.send(hello);
    expect(await client.message()).toMatchObject({ type: 'welcome' });
    return client;
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Sends text frames as they should be. */
  send(...texts: readonly (string | { readonly [key: string]: Json })[]): void {
    this.write(Buffer.concat(texts.map((text) => rawFrame(typeof text === 'string' ? text : JSON.stringify(text)))));
  }

  /** The head of the HTTP answer; frames begin after it. */
  async head(): Promise<string> {
    const end = (): number => this.#pending.indexOf('\r\n\r\n');
    await this.#until(() => end() !== -1);
    const head = this.#pending.subarray(0, end() + 4).toString('latin1');
    this.#pending = this.#pending.subarray(head.length);
    this.#isFramed = true;
    this.#parse();
    return head;
  }

  /** The next frame; `undefined` when the connection ended without one. */
  async next(): Promise<Said | undefined> {
    await this.#until(() => this.#frames.length > 0);
    return this.#frames.shift();
  }

  /** The next message, whatever pongs come before it. */
  async message(): Promise<{ readonly [key: string]: Json }> {
    for (;;) {
      const said = await this.next();
      if (said?.opcode === 1) return JSON.parse(said.payload.toString()) as { readonly [key: string]: Json };
      if (said?.opcode !== 10) throw new Error(said === undefined ? 'the connection ended' : `a frame with opcode ${said.opcode}`);
    }
  }

  /** The close code that the server said, 1006 for none, once the connection has ended; what came before is thrown away. */
  async closeCode(): Promise<number> {
    for (;;) {
      const said = await this.next();
      if (said === undefined) return 1006;
      if (said.opcode === 8) return said.payload.length < 2 ? 1005 : said.payload.readUInt16BE();
    }
  }

  /** Everything that came until the end, as text: for answers of HTTP. */
  async rest(): Promise<string> {
    if (!this.#isOver) await once(this.socket, 'close');
    return this.#pending.toString('latin1');
  }

  #arrive(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    if (this.#isFramed) this.#parse();
    this.#awake();
  }

  #parse(): void {
    for (;;) {
      const bytes = this.#pending;
      if (bytes.length < 2) return;
      const small = bytes[1]! & 0x7f;
      const start = small === 126 ? 4 : small === 127 ? 10 : 2;
      if (bytes.length < start) return;
      const length = small === 126 ? bytes.readUInt16BE(2) : small === 127 ? Number(bytes.readBigUInt64BE(2)) : small;
      if (bytes.length < start + length) return;
      this.#frames.push({ opcode: bytes[0]! & 0x0f, payload: bytes.subarray(start, start + length) });
      this.#pending = bytes.subarray(start + length);
    }
  }

  #awake(): void {
    for (const resolve of this.#wake.splice(0)) resolve();
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.#isOver) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }
}
