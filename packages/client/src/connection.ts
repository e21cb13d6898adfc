/**
 * What keeps a client connected across sockets: when to connect, how long to wait, when to stop (PROTOCOL.md HF-8.3,
 * HF-11). It knows nothing of topics or publishes.
 *
 *   idle --start()--> connecting --welcome--> open
 *                        ^  ^                  |
 *                        |  +--goaway----------+
 *     timer, retryNow()  |  |                  | lost
 *                      waiting <---------------+
 *   closed: close(), a close code that says stop, credentials refused twice, attemptsMax; retryNow() leaves it, but for close()
 */

import {
  backoffDelayMs,
  closeAdvice,
  HoldfastError,
  type BackoffOptions,
  type ClientMessage,
  type Hello,
  type ServerMessage,
  type Welcome,
} from '@holdfast/wire';
import type { Clock } from './clock.ts';
import type { Credentials } from './credentials.ts';
import { Link, type Ending } from './link.ts';
import type { Random } from './random.ts';
import type { SocketFactory } from './socket.ts';

export type Phase = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';

export interface ConnectionOptions {
  readonly url: string;
  readonly credentials: Pick<Credentials, 'token' | 'isRenewable'>;
  readonly socket: SocketFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly backoff: BackoffOptions;
  /** Failed attempts in a row after which the phase is `closed`. */
  readonly attemptsMax: number;
}

export interface ConnectionEvents {
  /** What to say first on a new socket; the token is added. */
  hello(): Hello;
  onOpen(welcome: Welcome): void;
  onMessage(message: ServerMessage): void;
  /** A socket is gone, whether or not it was ever open. */
  onDown(): void;
  /** Phase, attempt, wait or error changed. */
  onChange(): void;
}

/** HF-11.3: the spread while no server announced one. */
const SPREAD_MS = 250;
/** A connection that lasted this long was a success: the waits begin anew. */
const STABLE_MS = 10_000;
/** From the beginning of an attempt to `welcome`. */
const WELCOME_DEADLINE_MS = 10_000;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  #phase: Phase = 'idle';
  #link: Link | undefined;
  /** Counts up with every attempt, so that a token that comes late finds its attempt gone. */
  #generation = 0;
  #timer: unknown;
  #retryAtMs: number | undefined;
  #attempt = 0;
  #lastError: HoldfastError | undefined;
  #spreadMs = SPREAD_MS;
  #openedAtMs: number | undefined;
  #credentialRefusals = 0;
  #alternate: string | undefined;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Attempts since the last connection that proved stable; 0 while the first is under way. */
  get attempt(): number {
    return this.#attempt;
  }

  /** When the next attempt begins, ms since 1970; only while waiting. */
  get retryAtMs(): number | undefined {
    return this.#retryAtMs;
  }

  /** What went wrong last; `undefined` again when the connection is open. */
  get lastError(): HoldfastError | undefined {
    return this.#lastError;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  start(): void {
    if (this.#phase === 'idle') this.#connect();
  }

  /** Connects now instead of later; also out of `closed`, unless `close` led there. */
  retryNow(): void {
    if (this.#phase !== 'waiting' && this.#phase !== 'closed') return;
    this.#credentialRefusals = 0;
    if (this.#phase === 'closed') this.#attempt = 0;
    this.#connect();
  }

  /** Only while open; dropped otherwise. */
  send(message: Exclude<ClientMessage, Hello>): void {
    if (this.#phase === 'open') this.#link!.send(message);
  }

  /** See `Link.explain`. */
  explain(error: HoldfastError): void {
    this.#link?.explain(error);
  }

  /** See `Link.resync`. */
  resync(error: HoldfastError): void {
    this.#link?.resync(error);
  }

  /** HF-8.3: takes a new socket within the spread; until then this one goes on. */
  leave(spreadMs: number, alternate: string | undefined): void {
    this.#alternate = this.#acceptable(alternate);
    this.#clearTimer();
    this.#timer = this.#options.clock.setTimeout(
      () => {
        this.#drop(1000, 'goaway');
        this.#connect();
      },
      Math.floor(this.#options.random() * spreadMs),
    );
  }

  /** Stops; a reason is kept as the last error. */
  close(error?: HoldfastError): void {
    if (error !== undefined) this.#lastError = error;
    this.#clearTimer();
    this.#generation += 1;
    this.#drop(1000, '');
    this.#enter('closed');
  }

  #connect(): void {
    this.#clearTimer();
    const generation = ++this.#generation;
    this.#enter('connecting');
    const token = this.#options.credentials.token();
    if (!(token instanceof Promise)) return this.#open(token);
    void token.then(
      (fresh) => {
        if (generation === this.#generation) this.#open(fresh);
      },
      (error: HoldfastError) => {
        if (generation !== this.#generation) return;
        this.#lastError = error;
        this.#wait(false);
      },
    );
  }

  #open(token: string | undefined): void {
    this.#clearTimer();
    const { socket, clock, url } = this.#options;
    const link = new Link(
      { url: this.#alternate ?? url, socket, clock, deadlineMs: WELCOME_DEADLINE_MS },
      {
        hello: () => ({ ...this.#events.hello(), ...(token === undefined ? {} : { token }) }),
        onWelcome: (welcome) => this.#welcomed(welcome),
        onMessage: (message) => this.#events.onMessage(message),
        onEnd: (ending) => this.#ended(ending),
      },
    );
    this.#link = link;
  }

  #welcomed(welcome: Welcome): void {
    this.#spreadMs = welcome.spreadMs;
    this.#openedAtMs = this.#options.clock.now();
    this.#credentialRefusals = 0;
    this.#lastError = undefined;
    this.#alternate = undefined;
    this.#phase = 'open';
    this.#events.onOpen(welcome);
    this.#events.onChange();
  }

  #ended({ code, reason, error }: Ending): void {
    this.#link = undefined;
    this.#clearTimer();
    const wasStable = this.#openedAtMs !== undefined && this.#options.clock.now() - this.#openedAtMs >= STABLE_MS;
    this.#openedAtMs = undefined;
    this.#alternate = undefined;
    if (wasStable) this.#attempt = 0;
    this.#lastError = error ?? new HoldfastError('OFFLINE', `the connection ended with code ${code}${reason === '' ? '' : ` (${reason})`}`);
    // The phase first: what hears of the loss must not find the connection open.
    const advice = closeAdvice(code);
    this.#phase = 'waiting';
    this.#events.onDown();
    if (advice === 'stop')
      return this.close(error ?? new HoldfastError('CLOSED', stopMessage(code, reason), { hint: 'retryNow() connects again.' }));
    if (advice === 'reauthenticate' && ++this.#credentialRefusals >= this.#refusalsMax()) {
      return this.close(error ?? new HoldfastError('UNAUTHENTICATED', `the server refused the credentials (${code})`));
    }
    this.#wait(advice === 'back-off', error?.retryAfterMs);
  }

  /** A token that cannot change is not tried twice. */
  #refusalsMax(): number {
    return this.#options.credentials.isRenewable ? 2 : 1;
  }

  #wait(isGrowing: boolean, retryAfterMs = 0): void {
    const { clock, random, backoff, attemptsMax } = this.#options;
    if (this.#attempt >= attemptsMax) return this.close();
    if (isGrowing) this.#attempt = Math.max(this.#attempt, 1);
    const delayMs = retryAfterMs + backoffDelayMs(this.#attempt, this.#spreadMs, random(), backoff);
    this.#attempt += 1;
    this.#retryAtMs = clock.now() + delayMs;
    this.#timer = clock.setTimeout(() => this.#connect(), delayMs);
    this.#enter('waiting');
  }

  #drop(code: number, reason: string): void {
    if (this.#link === undefined) return;
    this.#link.close(code, reason);
    this.#link = undefined;
    this.#openedAtMs = undefined;
    this.#phase = 'waiting';
    this.#events.onDown();
  }

  /** A token must not be lured onto a socket without TLS. */
  #acceptable(alternate: string | undefined): string | undefined {
    if (alternate === undefined) return undefined;
    const isSecure = alternate.startsWith('wss://');
    return isSecure || (alternate.startsWith('ws://') && this.#options.url.startsWith('ws://')) ? alternate : undefined;
  }

  #clearTimer(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#retryAtMs = undefined;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#events.onChange();
  }
}

function stopMessage(code: number, reason: string): string {
  if (code === 4001) return 'another live connection has the name of this client (close 4001)';
  return `the server asked to stop (close ${code}${reason === '' ? '' : `, ${reason}`})`;
}
