/** Sockets that a test plays by hand: each tells what was done to it, and does nothing by itself. */

import type { ClientSocket, SocketEnd, SocketEvents, SocketFactory, SocketOptions } from './socket.ts';

export class FakeSocket implements ClientSocket {
  readonly url: string;
  readonly options: SocketOptions;
  readonly sent: (string | Uint8Array)[] = [];
  /** How this side ended it. */
  closedWith: [code: number | undefined, reason: string | undefined] | undefined;
  isAbandoned = false;
  isPaused = false;
  /** As with `ws`. */
  canPause = false;
  bufferedBytes = 0;
  isOver = false;
  readonly #events: SocketEvents;

  constructor(url: string, options: SocketOptions, events: SocketEvents) {
    this.url = url;
    this.options = options;
    this.#events = events;
  }

  /** Neither end has ended it. */
  get isLive(): boolean {
    return !this.isOver && !this.isAbandoned && this.closedWith === undefined;
  }

  open(): void {
    this.#events.onOpen('');
  }

  say(...frames: (string | Uint8Array)[]): void {
    for (const frame of frames) this.#events.onMessage(frame);
  }

  /** A byte came. */
  stir(): void {
    this.#events.onActivity?.();
  }

  drain(): void {
    this.bufferedBytes = 0;
    this.#events.onDrain?.();
  }

  end(end: Partial<SocketEnd> = {}): void {
    this.isOver = true;
    this.#events.onClose({ code: 1006, reason: '', clean: false, ...end });
  }

  send(frame: string | Uint8Array): void {
    if (!this.isLive) throw new Error('sent on a socket that is over');
    this.sent.push(frame);
  }

  pause(): boolean {
    this.isPaused = this.canPause;
    return this.canPause;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(code?: number, reason?: string): void {
    this.closedWith = [code, reason];
  }

  abandon(): void {
    this.isAbandoned = true;
  }
}

export class FakeSockets {
  readonly all: FakeSocket[] = [];
  /** What happens to a new one, after the factory returned it; by default nothing. */
  onSocket: (socket: FakeSocket) => void = () => {};

  readonly factory: SocketFactory = (url, options, events) => {
    const socket = new FakeSocket(url, options, events);
    this.all.push(socket);
    void Promise.resolve().then(() => this.onSocket(socket));
    return socket;
  };

  get last(): FakeSocket {
    return this.all.at(-1)!;
  }

  get live(): FakeSocket[] {
    return this.all.filter(({ isLive }) => isLive);
  }
}
