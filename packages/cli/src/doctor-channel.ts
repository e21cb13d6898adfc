/** A WebSocket of `ws` as something to wait at: what comes is queued, and is taken with a time limit. */

import type { LookupFunction } from 'node:net';
import { WebSocket, type ClientOptions } from 'ws';
import { codeOf } from './doctor-address.ts';
import { trustOptions } from './doctor-tls.ts';
import { identityHeaders } from './doctor-upgrade.ts';
import type { Order, Route, World } from './doctor-world.ts';

export type ChannelEvent =
  | { readonly kind: 'text'; readonly text: string; readonly atMs: number }
  | { readonly kind: 'binary'; readonly bytes: Buffer; readonly atMs: number }
  | { readonly kind: 'pong'; readonly text: string; readonly atMs: number }
  | { readonly kind: 'closed'; readonly code: number; readonly reason: string; readonly error: string | undefined };

/** What is not taken in time is dropped, oldest first. */
const EVENTS_MAX = 1_024;
const PAYLOAD_BYTES_MAX = 64 * 1_048_576;

export class Channel {
  readonly #socket: WebSocket;
  readonly #events: ChannelEvent[] = [];
  #closed: (ChannelEvent & { readonly kind: 'closed' }) | undefined;
  #error: string | undefined;
  #wake: () => void = () => {};

  /** Opens; `isOpen` says what became of it. */
  static async open(order: Order, route: Route, world: World, subprotocol: string | undefined): Promise<Channel> {
    const channel = new Channel(order, route, world, subprotocol);
    await channel.#opened();
    return channel;
  }

  private constructor(order: Order, route: Route, world: World, subprotocol: string | undefined) {
    const { url } = order.target;
    // Options that `ws` does not know it hands on to `http.request`.
    const options: ClientOptions & { readonly lookup: LookupFunction } = {
      ...(order.target.isTls ? trustOptions(route, world) : {}),
      lookup: pinned(route),
      headers: { ...identityHeaders(order) },
      ...(order.origin === undefined ? {} : { origin: order.origin }),
      perMessageDeflate: false,
      handshakeTimeout: order.waitMs,
      maxPayload: PAYLOAD_BYTES_MAX,
    };
    this.#socket = subprotocol === undefined ? new WebSocket(url, options) : new WebSocket(url, subprotocol, options);
    this.#listen();
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(text: string): void {
    if (this.isOpen) this.#socket.send(text);
  }

  /** RFC 6455 section 5.5.2. */
  ping(text: string): void {
    if (this.isOpen) this.#socket.ping(text);
  }

  /** What came next, in order; `undefined`: nothing within the time. After the end, the end again. */
  async next(waitMs: number): Promise<ChannelEvent | undefined> {
    if (this.#events.length === 0 && this.#closed === undefined) await this.#change(waitMs);
    return this.#events.shift() ?? this.#closed;
  }

  /** Ends it; resolves when it has. */
  async close(): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#socket.close(1000);
    const timer = setTimeout(() => this.#socket.terminate(), 1_000);
    while (this.#closed === undefined) {
      this.#events.length = 0;
      await this.#change(1_000);
    }
    clearTimeout(timer);
  }

  #opened(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.once('open', resolve);
      this.#socket.once('close', () => resolve());
    });
  }

  #listen(): void {
    const put = (event: ChannelEvent): void => {
      if (this.#events.length >= EVENTS_MAX) this.#events.shift();
      this.#events.push(event);
      this.#wake();
    };
    this.#socket.on('message', (data: Buffer, isBinary: boolean) => {
      const atMs = performance.now();
      put(isBinary ? { kind: 'binary', bytes: data, atMs } : { kind: 'text', text: data.toString('utf8'), atMs });
    });
    this.#socket.on('pong', (data) => put({ kind: 'pong', text: data.toString('utf8'), atMs: performance.now() }));
    this.#socket.on('error', (error) => {
      this.#error ??= error.message === '' ? codeOf(error) : error.message;
    });
    this.#socket.on('close', (code, reason) => {
      this.#closed = { kind: 'closed', code, reason: reason.toString('utf8'), error: this.#error };
      this.#wake();
    });
  }

  #change(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
      const timer = setTimeout(settle, waitMs);
      this.#wake = settle;
    });
  }
}

/** So that the same address is connected to that was examined. */
function pinned({ address, family }: Route): LookupFunction {
  return (_host, { all }, done) => {
    if (all === true) done(null, [{ address, family }]);
    else done(null, address, family);
  };
}

/** What a close code says, in words (RFC 6455 section 7.4.1; PROTOCOL.md HF-11). */
export function closeText({ code, reason, error }: ChannelEvent & { readonly kind: 'closed' }, quote: (text: string) => string): string {
  const words = CLOSE_WORDS[code];
  const parts = [words, reason === '' ? undefined : `"${quote(reason)}"`, error === undefined ? undefined : quote(error)];
  const said = parts.filter((part) => part !== undefined).join(', ');
  return said === '' ? String(code) : `${code}: ${said}`;
}

const CLOSE_WORDS: Readonly<Record<number, string>> = {
  1000: 'an ordinary end',
  1001: 'the server is going away',
  1002: 'a breach of the WebSocket protocol',
  1003: 'the server does not take such data',
  1005: 'no reason was given',
  1006: 'the connection broke off without a word',
  1007: 'data that is not what it says it is',
  1008: 'the server refuses this client',
  1009: 'a frame was too large',
  1011: 'the server failed',
  1012: 'the server is being restarted',
  1013: 'the server has too much to do',
  1014: 'a proxy does not reach the server behind it',
  4000: 'the protocol was broken',
  4001: 'a newer connection of the same client took over',
  4002: 'this client may not connect here',
  4100: 'the server has too much to do',
  4200: 'the server is shutting down',
  4201: 'nothing was heard for too long',
  4202: 'the two sides disagree about the stream',
  4203: 'no hello came in time',
  4300: 'the credentials are missing or not valid',
};
