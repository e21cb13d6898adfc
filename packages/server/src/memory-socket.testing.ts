/** A socket in memory: what the hub sends is kept, and the test plays the network. */

import { contentOf, type Frame } from './shared-frame.ts';
import type { Socket, SocketListener } from './socket.ts';

export class MemorySocket implements Socket {
  /** What the test wants the hub to believe. */
  bufferedBytes = 0;
  readonly sent: (string | Uint8Array)[] = [];
  arrivalBytesMax: number | undefined;
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** Called with every frame that is sent. */
  onSend: ((frame: string | Uint8Array) => void) | undefined;
  #listener: SocketListener | undefined;

  send(frame: Frame): void {
    if (this.closed !== undefined) return;
    const content = contentOf(frame);
    this.sent.push(content);
    this.onSend?.(content);
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }

  terminate(): void {
    this.closed ??= { code: 1006, reason: '' };
  }

  limitArrival(bytesMax: number | undefined): void {
    this.arrivalBytesMax = bytesMax;
  }

  listen(listener: SocketListener): void {
    this.#listener = listener;
  }

  /** A frame of the client arrives. */
  receive(frame: string | Uint8Array): void {
    this.#listener!.onFrame(frame);
  }

  /** The client has read everything. */
  drain(): void {
    this.bufferedBytes = 0;
    this.#listener!.onDrain();
  }

  /** The network drops the connection. */
  drop(): void {
    this.closed ??= { code: 1006, reason: '' };
    this.#listener!.onClose(1006, '');
  }
}
