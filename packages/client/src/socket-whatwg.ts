/**
 * The adapter for WebSockets as the WHATWG describes them: those of browsers, workers, React Native, Deno, Bun, and Node
 * from version 22. Nothing of these can be paused, and most do not say why they failed.
 * Source: https://websockets.spec.whatwg.org.
 */

import { failureOf } from '#socket-node';
import { HoldfastError } from '@holdfast/wire';
import { construct } from './socket-address.ts';
import type { ClientSocket, SocketEvents, SocketFactory, SocketOptions } from './socket.ts';

/** What a browser's `WebSocket` and the one of the npm package `ws` have in common. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount?: number;
  readonly protocol?: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: never): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketClass = new (url: string, protocols?: string[]) => WebSocketLike;

export function whatwgSocketFactory(given: WebSocketClass): SocketFactory {
  return (url, options, events) =>
    listen(
      construct(url, () => make(given, url, options)),
      events,
    );
}

function make(given: WebSocketClass, url: string, { protocols, headers }: SocketOptions): WebSocketLike {
  if (headers === undefined || Object.keys(headers).length === 0) return new given(url, [...protocols]);
  const { navigator, process } = globalThis as { navigator?: { product?: string }; process?: { versions?: { node?: string } } };
  const withMore = given as new (url: string, second: unknown, third?: unknown) => WebSocketLike;
  if (navigator?.product === 'ReactNative') return new withMore(url, [...protocols], { headers });
  // Node's own; Bun and Deno say that they are Node, and take the same.
  if (typeof process?.versions?.node === 'string') return new withMore(url, { protocols: [...protocols], headers });
  throw new HoldfastError('USAGE', 'a browser cannot send headers with the handshake of a WebSocket', {
    hint: 'Send a token in the first message, as a subprotocol, or as a ticket in the query.',
  });
}

function listen(socket: WebSocketLike, events: SocketEvents): ClientSocket {
  socket.binaryType = 'arraybuffer';
  let isOpen = false;
  let isOver = false;
  let failure: unknown;
  socket.onopen = () => {
    isOpen = true;
    if (!isOver) events.onOpen(socket.protocol ?? '');
  };
  socket.onmessage = ({ data }: { data: unknown }) => {
    if (!isOver) events.onMessage(typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer));
  };
  // Always followed by a close. Only Node's own has an `error`, and only React Native's a `message`.
  socket.onerror = (event: { error?: unknown; message?: unknown } | undefined) => {
    failure = event?.error ?? (typeof event?.message === 'string' && event.message !== '' ? event : undefined);
  };
  socket.onclose = ({ code = 1006, reason }: { code?: number; reason?: unknown }) => {
    if (isOver) return;
    isOver = true;
    const said = typeof reason === 'string' ? reason : '';
    if (code !== 1006) return events.onClose({ code, reason: said, clean: true });
    // Nobody said goodbye: a reason is React Native's sentence on what went wrong.
    events.onClose({ code, reason: '', clean: false, ...failureOf(failure ?? (said === '' ? undefined : { message: said }), isOpen) });
  };
  return {
    get bufferedBytes() {
      return socket.bufferedAmount ?? 0;
    },
    send: (frame) => socket.send(frame as never),
    pause: () => false,
    resume: () => {},
    // Chromium takes a code that is `undefined` for 0.
    close: (code, reason) => (code === undefined ? socket.close() : socket.close(code, reason)),
    abandon: () => {
      isOver = true;
      // It cannot be terminated, and its `close` may do nothing for minutes: it is only let go.
      socket.close();
    },
  };
}
