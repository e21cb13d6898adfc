/**
 * The socket port: the least that the client needs of a WebSocket, so that a browser's, `ws`'s or a simulated one will do.
 * It knows nothing of the protocol.
 */

import { HoldfastError } from '@holdfast/wire';

/** What a socket tells its user. `onClose` comes at most once, and nothing after it. */
export interface SocketEvents {
  onOpen(): void;
  onMessage(frame: string | Uint8Array): void;
  /** 1006 where the connection was lost or never came about. */
  onClose(code: number, reason: string): void;
}

export interface ClientSocket {
  /** Only after `onOpen`. What is sent on a socket that is closing is lost. */
  send(frame: string | Uint8Array): void;
  /** Begins the closing handshake; `onClose` follows when the platform notices the end. */
  close(code: number, reason: string): void;
  /** Lets go of the socket at once, whatever state it is in: no event follows. */
  abandon(): void;
}

/** Opens a socket. Events come after it returned. May throw for a URL that cannot be understood. */
export type SocketFactory = (url: string, protocols: readonly string[], events: SocketEvents) => ClientSocket;

/** What a browser's `WebSocket` and the one of the npm package `ws` have in common. */
export interface WebSocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: never): void;
  close(code?: number, reason?: string): void;
  terminate?(): void;
}

export type WebSocketClass = new (url: string, protocols?: string[]) => WebSocketLike;

/** A factory from a WebSocket class. Throws `USAGE` where there is none. */
export function webSocketFactory(given: WebSocketClass | undefined): SocketFactory {
  const found = given ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
  if (found === undefined) {
    throw new HoldfastError('USAGE', 'this platform has no WebSocket', {
      hint: 'Install the package "ws" and pass it: import { WebSocket } from "ws"; createClient({ url, WebSocket }). Node has its own from version 22.',
    });
  }
  return (url, protocols, events) => open(new found(url, [...protocols]), events);
}

function open(socket: WebSocketLike, events: SocketEvents): ClientSocket {
  socket.binaryType = 'arraybuffer';
  let isOver = false;
  socket.onopen = () => {
    if (!isOver) events.onOpen();
  };
  socket.onmessage = ({ data }: { data: unknown }) => {
    if (isOver) return;
    events.onMessage(typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer));
  };
  // An error is always followed by a close, which says all that can be known.
  socket.onerror = () => {};
  socket.onclose = ({ code, reason }: { code: number; reason: unknown }) => {
    if (isOver) return;
    isOver = true;
    events.onClose(code, String(reason));
  };
  return {
    send: (frame) => socket.send(frame as never),
    close: (code, reason) => socket.close(code, reason),
    abandon: () => {
      isOver = true;
      // A browser's socket cannot be terminated, and its `close` may do nothing for minutes: it is only let go.
      if (socket.terminate === undefined) socket.close();
      else socket.terminate();
    },
  };
}
