/**
 * A connection: the surface of a channel that survives its sockets, against any WebSocket server. Messages wait while there is
 * no connection and go out in order when there is; reading goes on over as many sockets as it takes. When to connect is the
 * machine's affair (connection-machine.ts).
 *
 * What a server does not confirm cannot be known here: a message is sent when it was handed to the platform, and what a dying
 * socket had taken is lost. With the option `acknowledge` messages are kept until the server confirmed them, and sent again
 * over the next socket: then the server must know a message that it gets twice.
 */

import { HoldfastError, type BackoffOptions, type CloseAdvice } from '@holdfast/wire';
import { assertClose, assertMessage, positive, protocolList, usage } from './channel-arguments.ts';
import { Inbox, type ChannelStream, type Message } from './channel-stream.ts';
import { systemClock, type Clock } from './clock.ts';
import { ConnectionDriver } from './connection-driver.ts';
import type { TokenSource } from './credentials.ts';
import { Deferred, ignorable } from './deferred.ts';
import { pageLifecycle, type Lifecycle } from './lifecycle.ts';
import { Pours, type MessageSource } from './message-source.ts';
import { Computed, type Observable } from './observable.ts';
import { systemRandom, type Random } from './random.ts';
import { assertAddress } from './socket-address.ts';
import { webSocketFactory } from './socket-class.ts';
import type { WebSocketClass } from './socket-whatwg.ts';
import type { SocketEnd, SocketFactory } from './socket.ts';
import { statusOf, type ConnectionStatus } from './status.ts';
import { ASYNC_DISPOSE, defineMethod } from './symbols.ts';

export interface HeartbeatOptions {
  /** Silence after which the server is asked for a sign of life, ms. Any message is one; with `ws`, any byte. */
  readonly intervalMs: number;
  /** How long it has for it, ms; then a new socket is taken. Default 2,000. */
  readonly timeoutMs?: number | undefined;
  /** The question. Without it the server must speak by itself, at least every `intervalMs`. */
  readonly ping?: (() => Message) | undefined;
  /** Whether a message is the answer: it gives the round trip time, and is not handed on. */
  readonly isPong?: ((message: Message) => boolean) | undefined;
}

export interface ConnectionOptions {
  /** `ws://` or `wss://`; of several the first is preferred, and the others are tried in a random order. */
  readonly urls: string | readonly string[];
  readonly protocols?: string | readonly string[] | undefined;
  /** Headers of the handshake. Node and React Native only. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Asked for at every attempt, for 10 s at the most; handed to `hello`. */
  readonly token?: TokenSource | undefined;
  /** The first message of every socket, such as a token. */
  readonly hello?: ((token: string | undefined) => Message | undefined) | undefined;
  /** Whether a message is the server's consent: the connection is open from then on. Default: it is open when the socket is. */
  readonly isWelcome?: ((message: Message) => boolean) | undefined;
  /** The connection is open, again too: what is sent here goes ahead of what waits, such as subscriptions. */
  readonly onOpen?: ((send: (message: Message) => void) => void) | undefined;
  /** Default: none, and a half-open link is noticed when the platform notices. */
  readonly heartbeat?: HeartbeatOptions | undefined;
  readonly backoff?: BackoffOptions | undefined;
  /** Over what time the first attempts after a loss are spread, ms, if many clients lose this server at once. Default 250. */
  readonly spreadMs?: number | undefined;
  /** Failed attempts in a row after which the phase is `closed`. Default: no end. */
  readonly attemptsMax?: number | undefined;
  /** What may wait to be sent or confirmed: 1,000 messages and 1 MiB by default. More is refused with `BUFFER_FULL`. */
  readonly queue?: { readonly countMax?: number | undefined; readonly bytesMax?: number | undefined } | undefined;
  /** How many of the oldest unconfirmed messages an arriving one confirms. See above. */
  readonly acknowledge?: ((received: Message, unconfirmed: readonly Message[]) => number) | undefined;
  /** What the end of a socket asks for, if not what its code says (HF-11.1) or its HTTP status. */
  readonly advise?: ((end: SocketEnd) => CloseAdvice | undefined) | undefined;
  /** Messages that may wait for the reader, 256, and their bytes, 1 MiB by default: then a socket that can be paused (`ws`) is. */
  readonly receive?: { readonly countMax?: number | undefined; readonly bytesMax?: number | undefined } | undefined;
  /** Default: the page's or worker's own events. For React Native: `appLifecycle(AppState)`. */
  readonly lifecycle?: Lifecycle | undefined;
  /** The WebSocket class where the platform has none: `ws`'s in Node 20. */
  readonly WebSocket?: WebSocketClass | undefined;
  /** In place of a class: any socket. */
  readonly socket?: SocketFactory | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** How a connection ended: by `close`, always. */
export interface ConnectionEnd {
  readonly code: number;
  readonly reason: string;
  /** Messages that were not sent, or not confirmed where that is asked for. */
  readonly unsentCount: number;
}

/** Where messages go. None of its promises is an unhandled rejection when nobody awaits it. */
export interface ConnectionSink {
  /**
   * Resolves when the message was handed to the platform; with `acknowledge`, when it was confirmed. Throws `USAGE` at once for
   * what is no message. Rejects with `BUFFER_FULL` if too much waits already, and with `CLOSED` if the connection was closed before.
   */
  add(message: Message): Promise<void>;
  /** Sends all of a source, pulling its next message when the last one was taken. Rejects as `add`, or with the source's error. */
  addStream(source: MessageSource): Promise<void>;
  /** As `connection.close` without waiting: with 1000, or a code from 3000 to 4999. Throws `USAGE` for others. */
  close(code?: number, reason?: string): Promise<ConnectionEnd>;
  /** As `connection.closed`. */
  readonly done: Promise<ConnectionEnd>;
}

export interface Connection {
  readonly status: Observable<ConnectionStatus>;
  /** Resolves when it is open for the first time; rejects if it gives up or is closed before. */
  readonly ready: Promise<void>;
  /** What arrives, over all sockets. Ends with `close`. What a server sends while there is no connection is the server's affair. */
  readonly stream: ChannelStream;
  readonly sink: ConnectionSink;
  /** Resolves after `close`. Never rejects. */
  readonly closed: Promise<ConnectionEnd>;
  /** Resolves when nothing waits any more; rejects with `PENDING` after `timeoutMs` (default 10,000), with `CLOSED` after `close`. */
  flush(options?: { readonly timeoutMs?: number | undefined }): Promise<void>;
  /** Connects now instead of later; also out of the phase `closed`, but for `close`. */
  retryNow(): void;
  /** Closes the socket and sets no timer until `resume`: for an app in the background. Messages wait. */
  pause(): void;
  resume(): void;
  /** Waits up to `drainMs` (default 0) for what waits, then ends everything. Throws `USAGE` as `sink.close`. */
  close(options?: {
    readonly drainMs?: number | undefined;
    readonly code?: number | undefined;
    readonly reason?: string | undefined;
  }): Promise<ConnectionEnd>;
  [Symbol.asyncDispose](): Promise<void>;
}

const QUEUE_COUNT_MAX = 1_000;
const QUEUE_BYTES_MAX = 2 ** 20;
const RECEIVE_COUNT_MAX = 256;
const RECEIVE_BYTES_MAX = 2 ** 20;
const PONG_TIMEOUT_MS = 2_000;
const FLUSH_TIMEOUT_MS = 10_000;
/** In the platform's buffer, bytes: what lies there is lost with the socket, so more waits here. */
const HIGH_WATER_BYTES = 2 ** 16;
/** Between two looks at a platform's buffer that does not say when it drains, ms. */
const LOOK_MS = 33;

/** Makes a connection and begins to connect. Throws `INVALID_URL` and `USAGE` for options that cannot work. Closed by `close`. */
export function createConnection(options: ConnectionOptions): Connection {
  return new SurvivingConnection(options);
}

interface Row {
  readonly message: Message;
  readonly taken: Deferred<void>;
}

class SurvivingConnection implements Connection {
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;
  readonly status: Computed<ConnectionStatus> = new Computed(() => statusOf(this.#driver, this.#count));
  readonly ready: Promise<void>;
  readonly closed: Promise<ConnectionEnd>;
  readonly stream: ChannelStream;
  readonly sink: ConnectionSink;
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  readonly #driver: ConnectionDriver;
  readonly #inbox: Inbox;
  readonly #pours = new Pours();
  readonly #opened: Deferred<void> = new Deferred();
  readonly #ended: Deferred<ConnectionEnd> = new Deferred();
  readonly #countMax: number;
  readonly #bytesMax: number;
  /** Sent and not confirmed, oldest first; only with `acknowledge`. */
  #sent: Row[] = [];
  #queue: Row[] = [];
  #bytes = 0;
  #look: unknown;
  #flushes: Deferred<void>[] = [];
  #closing: Promise<ConnectionEnd> | undefined;

  constructor(options: ConnectionOptions) {
    const { queue = {}, receive = {}, headers, token, heartbeat, clock = systemClock, random = systemRandom } = options;
    const urls = typeof options.urls === 'string' ? [options.urls] : options.urls;
    if (!Array.isArray(urls) || urls.length === 0) throw usage('urls is an address or a list of them');
    for (const url of urls) assertAddress(url);
    if (options.spreadMs !== undefined) positive('spreadMs', options.spreadMs, 0);
    if (heartbeat !== undefined) positive('heartbeat.intervalMs', heartbeat.intervalMs, 0);
    this.#countMax = positive('queue.countMax', queue.countMax, QUEUE_COUNT_MAX);
    this.#bytesMax = positive('queue.bytesMax', queue.bytesMax, QUEUE_BYTES_MAX);
    this.#options = options;
    this.#clock = clock;
    this.ready = this.#opened.promise;
    this.closed = this.#ended.promise;
    this.stream = this.#inbox = new Inbox({
      countMax: positive('receive.countMax', receive.countMax, RECEIVE_COUNT_MAX),
      bytesMax: positive('receive.bytesMax', receive.bytesMax, RECEIVE_BYTES_MAX),
      pause: () => this.#driver.hold(),
      resume: () => this.#driver.release(),
      overflow: () => {},
    });
    this.sink = {
      add: (message) => this.#add(message),
      addStream: (source) => ignorable(this.#pours.pour(source, (message) => this.#add(message))),
      close: (code = 1000, reason = '') => this.close({ code, reason }),
      done: this.closed,
    };
    this.#driver = new ConnectionDriver(
      {
        urls,
        socket: options.socket ?? webSocketFactory(options.WebSocket),
        socketOptions: { protocols: protocolList(options.protocols), ...(headers === undefined ? {} : { headers }) },
        token: typeof token === 'function' ? token : (): string | undefined => token,
        refusalsMax: () => (typeof token === 'function' ? 2 : 1),
        clock,
        random,
        backoff: options.backoff,
        attemptsMax: options.attemptsMax,
        lifecycle: options.lifecycle ?? pageLifecycle(),
      },
      {
        greet: (fresh) => this.#greet(fresh),
        onUp: () => this.#onUp(),
        onDown: () => this.#onDown(),
        onFrame: (frame) => this.#onFrame(frame),
        onDrain: () => this.#pump(),
        probe: () => {
          const question = heartbeat?.ping?.();
          if (question !== undefined) this.#driver.send(question);
        },
        onChange: () => {
          if (this.#driver.phase === 'closed') this.#opened.reject(this.#driver.lastError ?? closedError());
          this.status.touch();
        },
        explain: () => undefined,
        advise: (end) => options.advise?.(end),
      },
    );
    this.#driver.dispatch({ type: 'start' });
  }

  get #count(): number {
    return this.#sent.length + this.#queue.length;
  }

  flush({ timeoutMs = FLUSH_TIMEOUT_MS }: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    const flushed = new Deferred<void>();
    if (this.#driver.hasEnded) flushed.reject(closedError());
    else if (this.#count === 0) flushed.resolve();
    else {
      const timer = this.#clock.setTimeout(() => {
        this.#flushes = this.#flushes.filter((other) => other !== flushed);
        flushed.reject(new HoldfastError('PENDING', `${this.#count} messages wait after ${timeoutMs} ms`));
      }, timeoutMs);
      void flushed.promise.catch(() => {}).then(() => this.#clock.clearTimeout(timer));
      this.#flushes.push(flushed);
    }
    return flushed.promise;
  }

  retryNow(): void {
    this.#driver.dispatch({ type: 'retryNow' });
  }

  pause(): void {
    this.#driver.dispatch({ type: 'pause' });
  }

  resume(): void {
    this.#driver.dispatch({ type: 'resume' });
  }

  close({
    drainMs = 0,
    code = 1000,
    reason = '',
  }: { drainMs?: number | undefined; code?: number | undefined; reason?: string | undefined } = {}): Promise<ConnectionEnd> {
    assertClose(code, reason);
    this.#closing ??= this.#close(drainMs, code, reason);
    return this.#closing;
  }

  async #close(drainMs: number, code: number, reason: string): Promise<ConnectionEnd> {
    if (drainMs > 0) await this.flush({ timeoutMs: drainMs }).catch(() => {});
    const end = { code, reason, unsentCount: this.#count };
    const error = closedError();
    this.#driver.dispatch({ type: 'close', code, reason });
    this.#pours.stop(error);
    this.#opened.reject(error);
    for (const { taken } of [...this.#sent.splice(0), ...this.#queue.splice(0)]) taken.reject(error);
    for (const flushed of this.#flushes.splice(0)) flushed.reject(error);
    this.#inbox.end(undefined);
    this.#ended.resolve(end);
    this.status.touch();
    return end;
  }

  #add(message: Message): Promise<void> {
    assertMessage(message);
    const taken = new Deferred<void>();
    if (this.#driver.hasEnded) taken.reject(closedError());
    else if (this.#count >= this.#countMax || (this.#count > 0 && this.#bytes + message.length > this.#bytesMax)) {
      taken.reject(new HoldfastError('BUFFER_FULL', `${this.#count} messages wait already`));
    } else {
      // What the caller does to the bytes later must not show.
      this.#queue.push({ message: typeof message === 'string' ? message : message.slice(), taken });
      this.#bytes += message.length;
      this.#pump();
      this.status.touch();
    }
    return taken.promise;
  }

  /** Sends what waits, as long as the platform's buffer has room. */
  #pump(): void {
    const { acknowledge } = this.#options;
    this.#clock.clearTimeout(this.#look);
    while (this.#driver.isUp && this.#queue.length > 0) {
      if (this.#driver.socket!.bufferedBytes > HIGH_WATER_BYTES) {
        this.#look = this.#clock.setTimeout(() => this.#pump(), LOOK_MS);
        return;
      }
      const row = this.#queue.shift()!;
      this.#driver.send(row.message);
      if (acknowledge === undefined) this.#finish([row]);
      else this.#sent.push(row);
    }
  }

  #finish(rows: readonly Row[]): void {
    for (const { message, taken } of rows) {
      this.#bytes -= message.length;
      taken.resolve();
    }
    if (this.#count === 0) for (const flushed of this.#flushes.splice(0)) flushed.resolve();
    this.status.touch();
  }

  #greet(token: string | undefined): void {
    const { hello, isWelcome } = this.#options;
    const first = hello?.(token);
    if (first !== undefined) this.#driver.send(first);
    if (isWelcome === undefined) this.#welcome();
  }

  #welcome(): void {
    const { heartbeat, isWelcome, spreadMs } = this.#options;
    const { intervalMs: quietMs = Number.POSITIVE_INFINITY, timeoutMs = PONG_TIMEOUT_MS } = heartbeat ?? {};
    const answerMs = heartbeat === undefined ? Number.POSITIVE_INFINITY : timeoutMs;
    const spread = spreadMs === undefined ? {} : { spreadMs };
    this.#driver.dispatch({ type: 'welcomed', ...spread, quietMs, answerMs, isProof: isWelcome !== undefined });
  }

  #onUp(): void {
    this.#opened.resolve();
    this.#options.onOpen?.((message) => {
      assertMessage(message);
      this.#driver.send(message);
    });
    this.#queue = [...this.#sent.splice(0), ...this.#queue];
    this.#pump();
  }

  #onDown(): void {
    this.#clock.clearTimeout(this.#look);
  }

  #onFrame(frame: Message): void {
    const { isWelcome, heartbeat, acknowledge } = this.#options;
    if (!this.#driver.isUp) {
      if (isWelcome?.(frame) === true) {
        this.#driver.answered();
        this.#welcome();
      }
    } else if (heartbeat?.isPong?.(frame) === true) return this.#driver.answered();
    if (acknowledge !== undefined && this.#sent.length > 0) {
      const messages = this.#sent.map(({ message }) => message);
      this.#finish(this.#sent.splice(0, acknowledge(frame, messages)));
    }
    this.#inbox.put(frame);
  }
}

defineMethod(SurvivingConnection.prototype, ASYNC_DISPOSE, async function (this: SurvivingConnection) {
  await this.close();
});

function closedError(): HoldfastError {
  return new HoldfastError('CLOSED', 'The connection is closed.');
}
