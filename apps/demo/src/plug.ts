/**
 * The plug: a socket factory that can be cut off. Pulled, it drops the socket there is, as a tunnel would, and every new one
 * fails, until it is put back. It wraps the client's socket port and knows nothing of the protocol.
 */

import type { ClientSocket, SocketEnd, SocketEvents, SocketFactory } from '@holdfast/client';
import { Cell } from './cell.ts';

const LOST: SocketEnd = { code: 1006, reason: '', clean: false };

export class Plug {
  readonly isPulled: Cell<boolean>;
  readonly #connect: SocketFactory;
  /** Cuts the socket that is open or opening. */
  #cut: (() => void) | undefined;

  constructor(connect: SocketFactory, isPulled: boolean) {
    this.#connect = connect;
    this.isPulled = new Cell(isPulled);
  }

  readonly socket: SocketFactory = (url, options, events) => {
    if (this.isPulled.getSnapshot()) return dead(events);
    let isOver = false;
    const end = (how: SocketEnd): void => {
      if (!isOver) events.onClose(how);
      isOver = true;
    };
    const socket = this.#connect(url, options, { ...events, onClose: end });
    const abandon = (): void => {
      isOver = true;
      socket.abandon();
    };
    this.#cut = () => {
      socket.abandon();
      end(LOST);
    };
    return {
      get bufferedBytes() {
        return socket.bufferedBytes;
      },
      send: (frame) => socket.send(frame),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close: (code, reason) => socket.close(code, reason),
      abandon,
    };
  };

  pull(): void {
    if (this.isPulled.getSnapshot()) return;
    this.isPulled.set(true);
    this.#cut?.();
    this.#cut = undefined;
  }

  putBack(): void {
    this.isPulled.set(false);
  }
}

/** A socket that never opens. */
function dead(events: SocketEvents): ClientSocket {
  let isOver = false;
  // Events come after the factory returned.
  queueMicrotask(() => {
    if (!isOver) events.onClose(LOST);
    isOver = true;
  });
  return {
    bufferedBytes: 0,
    send: () => {},
    pause: () => false,
    resume: () => {},
    close: () => {},
    abandon: () => {
      isOver = true;
    },
  };
}
