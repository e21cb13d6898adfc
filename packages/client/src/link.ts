/**
 * The protocol over a connection: hello, welcome, heartbeat, goaway (PROTOCOL.md HF-2, HF-3, HF-8). It says and hears
 * messages where the driver has frames, with a session machine of its own for each socket. It knows nothing of topics.
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
import { ConnectionDriver, type DriverOptions } from './connection-driver.ts';
import type { SocketEnd } from './socket.ts';

/** HF-2.1. */
const SUBPROTOCOL = 'holdfast.v1';
/** HF-8.2, in heartbeats: silence after which the server is asked, and how long it has for an answer, 2 s at the most. */
const QUIET = 1.25;
const ANSWER = 0.75;
const ANSWER_MS_MAX = 2_000;

export interface LinkEvents {
  /** What to say first on a new socket; the token is added. */
  hello(): Hello;
  onOpen(welcome: Welcome): void;
  /** Every message after `welcome` but the heartbeat and `goaway`, in order of arrival. */
  onMessage(message: ServerMessage): void;
  /** A socket that was greeted is gone, whether or not it was ever welcomed. */
  onDown(): void;
  /** Phase, attempt, wait or error changed. */
  onChange(): void;
}

export class Link {
  readonly driver: ConnectionDriver;
  readonly #events: LinkEvents;
  readonly #isPlain: boolean;
  #session: ClientSession = new ClientSession();
  #welcome: Welcome | undefined;
  readonly #clock: Clock;
  #sentAtMs = 0;
  /** The server's last `error` that answered nothing: it explains a close that follows. */
  #explanation: HoldfastError | undefined;

  constructor(options: Omit<DriverOptions, 'socketOptions'>, events: LinkEvents) {
    this.#events = events;
    this.#clock = options.clock;
    this.#isPlain = options.urls.every((url) => url.startsWith('ws://'));
    this.driver = new ConnectionDriver(
      { ...options, socketOptions: { protocols: [SUBPROTOCOL] } },
      {
        greet: (token) => this.#greet(token),
        onUp: () => events.onOpen(this.#welcome!),
        onDown: () => {
          this.#session.close();
          events.onDown();
        },
        onFrame: (frame) => {
          this.#onFrame(frame);
          this.#showLife();
        },
        onActivity: () => this.#showLife(),
        probe: () => this.send({ type: 'ping' }),
        onChange: () => events.onChange(),
        explain: (end) => this.#explanation ?? explanationOf(end),
      },
    );
  }

  get isOpen(): boolean {
    return this.driver.isUp;
  }

  /** Only while open; dropped otherwise. */
  send(message: Exclude<ClientMessage, Hello>): void {
    if (!this.driver.isUp) return;
    this.#sentAtMs = this.#clock.now();
    this.driver.send(this.#session.send(message));
  }

  /** What the server said that belongs to no request; kept to explain a close. */
  explain(error: HoldfastError): void {
    this.#explanation = error;
  }

  /** The peer broke the protocol, or its stream has a hole: closes with 4202 and comes back (HF-5.8). */
  resync(problem: HoldfastError): void {
    this.driver.dispatch({ type: 'lost', advice: 'resume', problem, code: CLOSE_CODES.RESYNC.code, reason: problem.code });
  }

  #greet(token: string | undefined): void {
    this.#session = new ClientSession();
    this.#explanation = undefined;
    this.driver.send(this.#session.hello({ ...this.#events.hello(), ...(token === undefined ? {} : { token }) }));
  }

  #onFrame(frame: string | Uint8Array): void {
    let message: ServerMessage | undefined;
    try {
      message = this.#session.receive(frame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.resync(error);
    }
    switch (message?.type) {
      case undefined:
        return;
      case 'pong':
        return this.driver.answered();
      case 'ping':
        return this.#onPing(message);
      case 'welcome':
        return this.#onWelcome(message);
      case 'goaway': {
        const { spreadMs, alternate } = message;
        return this.driver.dispatch({ type: 'goaway', spreadMs, alternate: this.#acceptable(alternate) });
      }
      default:
        return this.#events.onMessage(message!);
    }
  }

  /** HF-8.2: the server's own beat may be waiting behind what is coming in; whoever hears it must not fall silent. */
  #showLife(): void {
    if (this.driver.isUp && this.#clock.now() - this.#sentAtMs >= this.#welcome!.heartbeatMs) this.send({ type: 'pong' });
  }

  #onPing({ id, spreadMs }: Extract<ServerMessage, { type: 'ping' }>): void {
    if (spreadMs !== undefined) this.driver.dispatch({ type: 'spread', spreadMs });
    this.send({ type: 'pong', ...(id === undefined ? {} : { id }) });
  }

  #onWelcome(welcome: Welcome): void {
    const { heartbeatMs, spreadMs } = welcome;
    this.#welcome = welcome;
    this.#sentAtMs = this.#clock.now();
    this.driver.answered();
    const answerMs = Math.min(ANSWER_MS_MAX, ANSWER * heartbeatMs);
    this.driver.dispatch({ type: 'welcomed', spreadMs, quietMs: QUIET * heartbeatMs, answerMs, isProof: true });
  }

  /** A token must not be lured onto a socket without TLS. */
  #acceptable(alternate: string | undefined): string | undefined {
    if (alternate === undefined) return undefined;
    return alternate.startsWith('wss://') || (this.#isPlain && alternate.startsWith('ws://')) ? alternate : undefined;
  }
}

function explanationOf({ code }: SocketEnd): HoldfastError | undefined {
  if (code !== CLOSE_CODES.FENCED.code) return undefined;
  return new HoldfastError('CLOSED', 'another live connection has the name of this client (close 4001)', {
    hint: 'retryNow() connects again.',
  });
}
