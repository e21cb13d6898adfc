/**
 * The socket port: the least that the client needs of a WebSocket, so that a browser's, `ws`'s or a simulated one will do.
 * It knows nothing of the protocol that is spoken over it. Adapters: `socket-whatwg.ts`, `socket-ws.ts`.
 */

import type { HoldfastError } from '@holdfast/wire';

export interface SocketOptions {
  /** Subprotocols to offer, the preferred one first. */
  readonly protocols: readonly string[];
  /** Headers of the handshake. Node and React Native only: a browser cannot send any. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** How a socket ended, as far as the platform tells. */
export interface SocketEnd {
  /** That of the peer's close frame; 1005 if it had none; 1006 where the connection was lost or never came about. */
  readonly code: number;
  readonly reason: string;
  /** The peer said goodbye, first or in answer to ours: the code is not 1006. */
  readonly clean: boolean;
  /** Why it is not clean. */
  readonly cause?: HoldfastError | undefined;
  /** The status of an answer that was no upgrade. Browsers never tell it. */
  readonly httpStatus?: number | undefined;
}

/** What a socket tells its user. `onClose` comes at most once, and nothing after it. */
export interface SocketEvents {
  /** With the subprotocol that the server chose; empty for none. */
  onOpen(protocol: string): void;
  onMessage(frame: string | Uint8Array): void;
  /** Any byte came, also one of a message that is not complete. Only where the platform tells (`ws`). */
  onActivity?(): void;
  /** Less is waiting to be sent than before. Only where the platform tells (`ws`). */
  onDrain?(): void;
  onClose(end: SocketEnd): void;
}

export interface ClientSocket {
  /** What was sent and is not handed to the network yet, bytes. Always 0 where the platform does not count (React Native). */
  readonly bufferedBytes: number;
  /** Only after `onOpen`. What is sent on a socket that is closing is lost. */
  send(frame: string | Uint8Array): void;
  /**
   * Stops reading, so that the peer is held back; a few messages that came before may still be told. While paused no close
   * is noticed. Says false, and does nothing, where the platform cannot (browsers, React Native, Node's own WebSocket).
   */
  pause(): boolean;
  resume(): void;
  /** Begins the closing handshake, without a code if none is given; `onClose` follows when the platform notices the end. */
  close(code?: number, reason?: string): void;
  /** Lets go of the socket at once, whatever state it is in: no event follows. */
  abandon(): void;
}

/** Opens a socket. Events come after it returned. May throw `INVALID_URL` and `USAGE`; nothing was opened then. */
export type SocketFactory = (url: string, options: SocketOptions, events: SocketEvents) => ClientSocket;
