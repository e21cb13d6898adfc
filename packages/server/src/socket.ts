/** The socket port: one accepted WebSocket as the hub sees it. `websocket.ts` makes one of `ws`, the simulator its own. */

import type { Frame, SharedRun } from './shared-frame.ts';

export interface Socket {
  /** Bytes handed to `send` that have not left the process. */
  readonly bufferedBytes: number;
  /** Sends one frame: a string as text, bytes as binary. Ignored after the end. Never throws. */
  send(frame: Frame): void;
  /** The same as `send` for each frame, where it can be done in less. */
  sendRun?(run: SharedRun): void;
  /** Begins the closing handshake. `reason`: at most 123 bytes of UTF-8. */
  close(code: number, reason: string): void;
  /** Drops the connection at once. */
  terminate(): void;
  /**
   * Drops the connection (close 1009) when more than `bytesMax` have arrived in all; `undefined` lifts the bound. Set before
   * it is known who is there.
   */
  limitArrival(bytesMax: number | undefined): void;
  /** Hands over the listener; called once, before anything can arrive. */
  listen(listener: SocketListener): void;
}

export interface SocketListener {
  onFrame(frame: string | Uint8Array): void;
  /** A frame of the protocol underneath, a ping or pong of so many bytes, which the socket itself has answered. */
  onControl?(bytes: number): void;
  /** What was buffered has left, or much of it; may come when nothing was. */
  onDrain(): void;
  /** The connection is gone; nothing comes after. */
  onClose(code: number, reason: string): void;
}
