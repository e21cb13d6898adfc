/**
 * The adapter for the npm package `ws`, which Node 20 needs and which tells most: why a connection failed, the status of an
 * answer that is no upgrade, every byte that comes; and it can be paused. The package itself is handed in, never imported.
 */

import { construct } from './socket-address.ts';
import { failureOf, refusedUpgrade, type SocketFailure } from './socket-failure.ts';
import type { ClientSocket, SocketEvents, SocketFactory } from './socket.ts';

/** What is used of TCP's or TLS's socket below. */
interface RawSocket {
  on(event: 'data' | 'drain', listener: () => void): void;
}

interface HttpAnswer {
  readonly statusCode?: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly socket: RawSocket;
}

/** What is used of `ws`'s socket. */
interface WsSocket {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly protocol: string;
  readonly extensions: string;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: { error: unknown }) => void) | null;
  on(event: 'upgrade', listener: (answer: HttpAnswer) => void): void;
  on(event: 'unexpected-response', listener: (request: unknown, answer: HttpAnswer) => void): void;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  pause(): void;
  resume(): void;
  terminate(): void;
}

type WsClass = new (url: string, protocols: string[], options: { headers?: Readonly<Record<string, string>> }) => WsSocket;

/** A factory from `ws`'s class; `undefined` if it is another. */
export function wsSocketFactory(given: unknown): SocketFactory | undefined {
  const { prototype } = given as { prototype?: Partial<WsSocket> };
  if (typeof prototype?.terminate !== 'function' || typeof prototype.pause !== 'function' || typeof prototype.on !== 'function')
    return undefined;
  const found = given as WsClass;
  return (url, { protocols, headers }, events) =>
    listen(
      construct(url, () => new found(url, [...protocols], headers === undefined ? {} : { headers })),
      events,
    );
}

function listen(socket: WsSocket, events: SocketEvents): ClientSocket {
  socket.binaryType = 'arraybuffer';
  let isOpen = false;
  let isOver = false;
  let error: unknown;
  let refused: SocketFailure | undefined;
  socket.on('upgrade', ({ socket: raw }) => {
    if (events.onActivity !== undefined) raw.on('data', () => isOver || events.onActivity?.());
    if (events.onDrain !== undefined) raw.on('drain', () => isOver || events.onDrain?.());
  });
  socket.on('unexpected-response', (_request, { statusCode = 0, headers }) => {
    const retryAfter = headers['retry-after'];
    refused = refusedUpgrade(statusCode, undefined, typeof retryAfter === 'string' ? retryAfter : undefined);
    socket.terminate();
  });
  socket.onopen = () => {
    isOpen = true;
    if (!isOver) events.onOpen(socket.protocol);
  };
  socket.onmessage = ({ data }) => {
    if (!isOver) events.onMessage(typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer));
  };
  socket.onerror = (event) => {
    error ??= event.error;
  };
  socket.onclose = ({ code, reason }) => {
    if (isOver) return;
    isOver = true;
    // The peer's goodbye came; whether our answer left before the peer was gone (`wasClean`) is of no account.
    const clean = code !== 1006;
    events.onClose({ code, reason, clean, ...(clean ? {} : (refused ?? failureOf(error, isOpen))) });
  };
  return {
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    // It compresses later, when the caller may have changed the bytes.
    send: (frame) => socket.send(typeof frame === 'string' || socket.extensions === '' ? frame : frame.slice()),
    pause: () => {
      socket.pause();
      return true;
    },
    resume: () => socket.resume(),
    close: (code, reason) => socket.close(code, reason),
    abandon: () => {
      isOver = true;
      socket.terminate();
    },
  };
}
