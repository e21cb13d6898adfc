/**
 * One socket's life: handshake, hello, welcome, heartbeat, end (PROTOCOL.md HF-2, HF-3, HF-8). It never decides whether
 * to connect again: that is the connection's affair. After `onEnd` it says nothing more.
 */

import {
  CLOSE_CODES,
  ClientSession,
  HoldfastError,
  ProtocolError,
  type ClientMessage,
  type Hello,
  type ServerMessage,
  type Welcome,
} from '@holdfast/wire';
import type { Clock } from './clock.ts';
import type { ClientSocket, SocketFactory } from './socket.ts';

/** HF-2.1. */
const SUBPROTOCOL = 'holdfast.v1';

/** Why a link is over. `error` is what was learnt beside the code: the server's last `error`, or what broke here. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly error: HoldfastError | undefined;
}

export interface LinkEvents {
  /** The socket is open: what to say first. */
  hello(): Hello;
  onWelcome(welcome: Welcome): void;
  /** Every message after `welcome` but the heartbeat, in order of arrival. */
  onMessage(message: ServerMessage): void;
  onEnd(ending: Ending): void;
}

export interface LinkOptions {
  readonly url: string;
  readonly socket: SocketFactory;
  readonly clock: Clock;
  /** From now until `welcome`, ms. */
  readonly deadlineMs: number;
}

export class Link {
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #session = new ClientSession();
  #socket: ClientSocket | undefined;
  #timer: unknown;
  #heardAtMs = 0;
  #silenceMaxMs = Number.POSITIVE_INFINITY;
  #isOver = false;
  /** The server's last `error` that answered nothing: it explains a close that follows. */
  #explanation: HoldfastError | undefined;

  constructor({ url, socket, clock, deadlineMs }: LinkOptions, events: LinkEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#timer = clock.setTimeout(() => this.#fail(1006, new HoldfastError('OFFLINE', `no answer within ${deadlineMs} ms`)), deadlineMs);
    try {
      this.#socket = socket(
        url,
        { protocols: [SUBPROTOCOL] },
        {
          onOpen: () => this.#onOpen(),
          onMessage: (frame) => this.#onMessage(frame),
          onClose: ({ code, reason, cause }) => this.#end({ code, reason, error: this.#explanation ?? cause }),
        },
      );
    } catch (cause) {
      const error =
        cause instanceof HoldfastError ? cause : new HoldfastError('OFFLINE', `the socket could not be made: ${String(cause)}`, { cause });
      // Not within the constructor: nobody could hear it.
      void Promise.resolve().then(() => this.#end({ code: 1006, reason: '', error }));
    }
  }

  get isOpen(): boolean {
    return !this.#isOver && this.#session.phase === 'open';
  }

  /** After `onWelcome` and before the end. */
  send(message: Exclude<ClientMessage, Hello>): void {
    if (!this.#isOver) this.#socket?.send(this.#session.send(message));
  }

  /** What the server said that belongs to no request; kept to explain a close. */
  explain(error: HoldfastError): void {
    this.#explanation = error;
  }

  /** The peer broke the protocol, or its stream has a hole: closes with 4202 (HF-5.8). */
  resync(error: HoldfastError): void {
    this.#fail(CLOSE_CODES.RESYNC.code, error);
  }

  /** Ends it from this side. `onEnd` is not called. */
  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#finish();
    this.#socket?.close(code, reason);
  }

  #onOpen(): void {
    if (this.#isOver) return;
    this.#socket!.send(this.#session.hello(this.#events.hello()));
  }

  #onMessage(frame: string | Uint8Array): void {
    if (this.#isOver) return;
    this.#heardAtMs = this.#clock.now();
    let message: ServerMessage | undefined;
    try {
      message = this.#session.receive(frame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.resync(error);
    }
    if (message === undefined || message.type === 'pong') return;
    if (message.type === 'ping') return this.#pong(message.id);
    if (message.type === 'welcome') return this.#onWelcome(message);
    this.#events.onMessage(message);
  }

  #pong(id: string | number | undefined): void {
    this.send({ type: 'pong', ...(id === undefined ? {} : { id }) });
  }

  #onWelcome(welcome: Welcome): void {
    this.#clock.clearTimeout(this.#timer);
    this.#silenceMaxMs = 2 * welcome.heartbeatMs;
    this.#watch();
    this.#events.onWelcome(welcome);
  }

  /** HF-8.2, by the wall clock: a timer that comes late after sleep finds the silence as long as it was. */
  #watch(): void {
    const now = this.#clock.now();
    // A clock that was set back would hide a silence for as long as it was set back.
    this.#heardAtMs = Math.min(this.#heardAtMs, now);
    const leftMs = this.#heardAtMs + this.#silenceMaxMs - now;
    if (leftMs <= 0) return this.#fail(CLOSE_CODES.HEARTBEAT_LOST.code, new HoldfastError('HEARTBEAT_LOST'));
    this.#timer = this.#clock.setTimeout(() => this.#watch(), leftMs);
  }

  /** This side gives up on the socket, which may be unable to close: it is told, let go, and the end is reported. */
  #fail(code: number, error: HoldfastError): void {
    if (this.#isOver) return;
    if (code === CLOSE_CODES.RESYNC.code) this.#socket?.close(code, error.code);
    else this.#socket?.abandon();
    this.#end({ code, reason: error.code, error });
  }

  #end(ending: Ending): void {
    if (this.#isOver) return;
    this.#finish();
    this.#events.onEnd(ending);
  }

  #finish(): void {
    this.#isOver = true;
    this.#session.close();
    this.#clock.clearTimeout(this.#timer);
  }
}
