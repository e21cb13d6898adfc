/**
 * A channel: one WebSocket to any server, with a stream to read and a sink to write, in the manner of Dart's
 * `web_socket_channel`. It never connects again, and knows nothing of the protocol that is spoken over it. Every promise
 * settles, and none is ever an unhandled rejection.
 *
 *   connecting --open--> open --close()--> closing --peer's answer, deadline--> over
 *       |                 +---peer's close, lost, error---------------------->  over
 *       +--failure, deadline, close(), abort--------------------------------->  over
 */

import { HoldfastError } from '@holdfast/wire';
import { positive, protocolList, usage } from './channel-arguments.ts';
import { Outlet, type ChannelSink } from './channel-sink.ts';
import { Inbox, type ChannelStream } from './channel-stream.ts';
import { systemClock, type Clock } from './clock.ts';
import { Deferred } from './deferred.ts';
import { assertAddress } from './socket-address.ts';
import { webSocketFactory } from './socket-class.ts';
import type { WebSocketClass } from './socket-whatwg.ts';
import type { ClientSocket, SocketEnd, SocketFactory } from './socket.ts';
import { ASYNC_DISPOSE, defineMethod } from './symbols.ts';

export interface ChannelOptions {
  /** Subprotocols to offer, the preferred one first. The server must choose one of them. Default: none. */
  readonly protocols?: string | readonly string[] | undefined;
  /** Headers of the handshake. Node and React Native only: in a browser `connect` throws `USAGE`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Aborting it ends the attempt to connect, or closes the channel with 1000. */
  readonly signal?: AbortSignal | undefined;
  /** How long connecting may take, ms; nothing stays open after it. Default 20,000; `Infinity` for as long as the platform waits. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long the peer has to answer a goodbye, counted from when the last byte before it left, ms. Default 5,000. */
  readonly closeTimeoutMs?: number | undefined;
  /** Messages that may wait for the reader. Default 256. */
  readonly receiveCountMax?: number | undefined;
  /** Bytes of messages that may wait for the reader; a text's count is that of its UTF-16 units. Default 1 MiB. */
  readonly receiveBytesMax?: number | undefined;
  /**
   * What to do at these bounds where the socket cannot be paused (all but `ws`): `keep` keeps on, and the memory grows with
   * what the peer sends; `close` closes with 4100 and `BUFFER_FULL`. Default `keep`.
   */
  readonly whenFull?: 'keep' | 'close' | undefined;
  /** Bytes in the platform's buffer above which the promise of `sink.add` waits. Default 1 MiB. */
  readonly highWaterBytes?: number | undefined;
  /** Bytes waiting to be sent at which `sink.add` refuses with `BUFFER_FULL`. Default 64 MiB. */
  readonly sendBytesMax?: number | undefined;
  /** The WebSocket class where the platform has none: `ws`'s in Node 20. */
  readonly WebSocket?: WebSocketClass | undefined;
  /** In place of a class: any socket. */
  readonly socket?: SocketFactory | undefined;
  readonly clock?: Clock | undefined;
}

/** How a channel ended. */
export interface ChannelEnd {
  /**
   * Who ended it: `close()`, a signal or disposal here; the peer, by a goodbye or by refusing the upgrade; the network, which
   * broke or was never there; a deadline for connecting; or a breach of the WebSocket protocol.
   */
  readonly by: 'local' | 'peer' | 'network' | 'timeout' | 'protocol';
  /** That of the peer's goodbye, or of its answer to ours: 1005 if it had none; 1006 if there was no goodbye. */
  readonly code: number;
  readonly reason: string;
  /** The peer said goodbye, first or in answer: all that it sent before has arrived; if the end is ours, so has what we sent. */
  readonly clean: boolean;
  /** The status of an answer that was no upgrade, where the platform tells it (never in browsers). */
  readonly httpStatus?: number | undefined;
  /** What went wrong; absent after a goodbye that nothing forced. */
  readonly cause?: HoldfastError | undefined;
}

const CONNECT_TIMEOUT_MS = 20_000;
const CLOSE_TIMEOUT_MS = 5_000;
const RECEIVE_COUNT_MAX = 256;
const RECEIVE_BYTES_MAX = 2 ** 20;
const HIGH_WATER_BYTES = 2 ** 20;
const SEND_BYTES_MAX = 2 ** 26;
/** Of the application's range: a browser may send no other. */
const FULL_CODE = 4100;

export class WebSocketChannel {
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;
  /** Resolves when messages can flow; rejects if they never will. */
  readonly ready: Promise<void>;
  /** Resolves when it is over, and says how. Never rejects. */
  readonly closed: Promise<ChannelEnd>;
  readonly stream: ChannelStream;
  readonly sink: ChannelSink;
  readonly #inbox: Inbox;
  readonly #outlet: Outlet;
  readonly #opened: Deferred<void> = new Deferred();
  readonly #ended: Deferred<ChannelEnd> = new Deferred();
  readonly #clock: Clock;
  readonly #closeTimeoutMs: number;
  readonly #protocols: readonly string[];
  readonly #signal: AbortSignal | undefined;
  #phase: 'connecting' | 'open' | 'closing' | 'over' = 'connecting';
  #socket: ClientSocket | undefined;
  #timer: unknown;
  #protocol: string | undefined;
  #end: ChannelEnd | undefined;
  /** Why this side closes, if not because it was asked to. */
  #closeCause: HoldfastError | undefined;

  /**
   * Begins to connect, and returns at once. Throws, with nothing begun, `INVALID_URL` for what is no `ws://` or `wss://`
   * address and `USAGE` for options that cannot work; everything else is told by `ready`, `stream` and `closed`.
   */
  static connect(url: string, options: ChannelOptions = {}): WebSocketChannel {
    return new WebSocketChannel(url, options);
  }

  private constructor(url: string, options: ChannelOptions) {
    assertAddress(url);
    const { headers, signal, whenFull = 'keep', clock = systemClock } = options;
    if (whenFull !== 'keep' && whenFull !== 'close') throw usage('whenFull is "keep" or "close"');
    if (headers !== undefined) assertHeaders(headers);
    const protocols = protocolList(options.protocols);
    const connectTimeoutMs = positive('connectTimeoutMs', options.connectTimeoutMs, CONNECT_TIMEOUT_MS);
    this.#closeTimeoutMs = positive('closeTimeoutMs', options.closeTimeoutMs, CLOSE_TIMEOUT_MS);
    this.#clock = clock;
    this.#protocols = protocols;
    this.#signal = signal;
    this.ready = this.#opened.promise;
    this.closed = this.#ended.promise;
    this.stream = this.#inbox = new Inbox({
      countMax: positive('receiveCountMax', options.receiveCountMax, RECEIVE_COUNT_MAX),
      bytesMax: positive('receiveBytesMax', options.receiveBytesMax, RECEIVE_BYTES_MAX),
      pause: () => this.#phase === 'open' && this.#socket!.pause(),
      resume: () => {
        if (this.#phase === 'open') this.#socket!.resume();
      },
      overflow: () => {
        if (whenFull === 'close') this.#begin(FULL_CODE, 'BUFFER_FULL', new HoldfastError('BUFFER_FULL'));
      },
    });
    this.sink = this.#outlet = new Outlet({
      clock,
      highWaterBytes: positive('highWaterBytes', options.highWaterBytes, HIGH_WATER_BYTES),
      sendBytesMax: positive('sendBytesMax', options.sendBytesMax, SEND_BYTES_MAX),
      closed: this.closed,
      close: (code, reason) => this.#begin(code, reason, undefined),
    });
    const factory = options.socket ?? webSocketFactory(options.WebSocket);
    if (signal?.aborted === true) {
      this.#onAbort();
      return;
    }
    this.#socket = factory(url, headers === undefined ? { protocols } : { protocols, headers }, {
      onOpen: (protocol) => this.#onOpen(protocol),
      onMessage: (message) => {
        if (this.#phase === 'open') this.#inbox.put(message);
      },
      onDrain: () => this.#outlet.look(),
      onClose: (end) => this.#onClose(end),
    });
    signal?.addEventListener('abort', this.#onAbort);
    if (connectTimeoutMs !== Number.POSITIVE_INFINITY) this.#timer = clock.setTimeout(() => this.#late(connectTimeoutMs), connectTimeoutMs);
  }

  /** The subprotocol that the server chose; empty for none, `undefined` before the channel is open. */
  get protocol(): string | undefined {
    return this.#protocol;
  }

  /** As in `closed`; `undefined` before it is over. */
  get closeCode(): number | undefined {
    return this.#end?.code;
  }

  /** As in `closed`; `undefined` before it is over. */
  get closeReason(): string | undefined {
    return this.#end?.reason;
  }

  #onOpen(protocol: string): void {
    if (this.#phase !== 'connecting') return;
    const problem = this.#protocolProblem(protocol);
    if (problem !== undefined) {
      this.#socket!.abandon();
      return this.#finish({ by: 'protocol', code: 1006, reason: '', clean: false, cause: new HoldfastError('PROTOCOL_ERROR', problem) });
    }
    this.#clock.clearTimeout(this.#timer);
    this.#phase = 'open';
    this.#protocol = protocol;
    this.#opened.resolve();
    this.#outlet.open(this.#socket!);
  }

  /** RFC 6455 section 4.1. Not every platform looks, and browsers want one of those that were offered. */
  #protocolProblem(chosen: string): string | undefined {
    if (chosen === '') return this.#protocols.length === 0 ? undefined : 'The server chose none of the subprotocols that were offered.';
    return this.#protocols.includes(chosen) ? undefined : `The server chose the subprotocol "${chosen}", which was not offered.`;
  }

  #late(connectTimeoutMs: number): void {
    this.#socket!.abandon();
    const cause = new HoldfastError('CONNECT_TIMEOUT', `The server did not answer within ${connectTimeoutMs} ms.`);
    this.#finish({ by: 'timeout', code: 1006, reason: '', clean: false, cause });
  }

  readonly #onAbort = (): void => {
    this.#begin(1000, '', new HoldfastError('ABORTED', 'The channel was aborted.', { cause: this.#signal?.reason as unknown }));
  };

  /** This side ends it. */
  #begin(code: number | undefined, reason: string, cause: HoldfastError | undefined): void {
    if (this.#phase === 'closing' || this.#phase === 'over') return;
    this.#closeCause = cause;
    if (this.#phase === 'connecting') {
      this.#socket?.abandon();
      return this.#finish({ by: 'local', code: 1006, reason: '', clean: false, ...(cause === undefined ? {} : { cause }) });
    }
    this.#phase = 'closing';
    this.#outlet.refuse(closedError(cause));
    // A paused socket would not hear the answer.
    this.#socket!.resume();
    this.#awaitAnswer(this.#socket!.bufferedBytes);
    this.#socket!.close(code, reason);
  }

  /** The deadline counts from the last progress: what was sent before the goodbye may take its time. */
  #awaitAnswer(bufferedBytes: number): void {
    if (this.#closeTimeoutMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.setTimeout(() => {
      const leftBytes = this.#socket!.bufferedBytes;
      if (leftBytes < bufferedBytes) return this.#awaitAnswer(leftBytes);
      this.#socket!.abandon();
      this.#onClose({
        code: 1006,
        reason: '',
        clean: false,
        cause: new HoldfastError('CONNECTION_LOST', 'The peer did not answer the goodbye.'),
      });
    }, this.#closeTimeoutMs);
  }

  #onClose({ code, reason, clean, cause: told, httpStatus }: SocketEnd): void {
    const cause =
      this.#closeCause ?? told ?? (clean ? undefined : new HoldfastError(this.#phase === 'connecting' ? 'NETWORK' : 'CONNECTION_LOST'));
    this.#finish({
      by: this.#phase === 'closing' ? 'local' : clean ? 'peer' : byOf(cause),
      code,
      reason,
      clean,
      ...(httpStatus === undefined ? {} : { httpStatus }),
      ...(cause === undefined ? {} : { cause }),
    });
  }

  #finish(end: ChannelEnd): void {
    if (this.#phase === 'over') return;
    const wasConnecting = this.#phase === 'connecting';
    this.#phase = 'over';
    this.#end = end;
    this.#clock.clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
    const failure = wasConnecting ? (end.cause ?? closedError(undefined)) : undefined;
    if (failure !== undefined) this.#opened.reject(failure);
    this.#outlet.refuse(failure ?? closedError(end.cause));
    this.#outlet.end(end.clean);
    // An attempt that was called off is no failure for the reader.
    this.#inbox.end(end.by === 'local' ? undefined : failure);
    this.#ended.resolve(end);
  }
}

defineMethod(WebSocketChannel.prototype, ASYNC_DISPOSE, async function (this: WebSocketChannel) {
  await this.sink.close(1000);
});

/** The same refusal, whoever closed. */
function closedError(cause: HoldfastError | undefined): HoldfastError {
  return new HoldfastError('CLOSED', 'The channel is closed.', cause === undefined ? {} : { cause });
}

function byOf(cause: HoldfastError | undefined): ChannelEnd['by'] {
  if (cause?.code === 'UPGRADE_REFUSED') return 'peer';
  if (cause?.code === 'PROTOCOL_ERROR') return 'protocol';
  return cause?.code === 'CONNECT_TIMEOUT' ? 'timeout' : 'network';
}

function assertHeaders(headers: unknown): void {
  const isRecord = typeof headers === 'object' && headers !== null && !Array.isArray(headers);
  if (!isRecord || Object.values(headers).some((value) => typeof value !== 'string')) throw usage('headers is a record of strings');
}
