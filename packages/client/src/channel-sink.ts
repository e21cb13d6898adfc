/**
 * What a channel sends. A message is handed to the platform in the turn of `add`, or when the channel opens; the promise of
 * `add` is the back-pressure: it waits while more than the high-water mark lies in the platform's buffer.
 */

import { HoldfastError } from '@holdfast/wire';
import { assertClose, assertMessage } from './channel-arguments.ts';
import type { ChannelEnd } from './channel.ts';
import type { Message } from './channel-stream.ts';
import type { Clock } from './clock.ts';
import { Deferred, ignorable } from './deferred.ts';
import { Pours, type MessageSource } from './message-source.ts';
import type { ClientSocket } from './socket.ts';

/** Where messages go. None of its promises is an unhandled rejection when nobody awaits it. */
export interface ChannelSink {
  /**
   * Sends a message, after all that were added before; before the channel is open it waits for that. Resolves when it was
   * handed to the platform and there is room for more, so that `await sink.add(...)` in a loop never fills the memory.
   *
   * Throws `USAGE` at once for what is no message. Rejects with the reason if the channel never opened, with `CLOSED` if it
   * is closed, whoever closed it, and with `BUFFER_FULL` if `sendBytesMax` bytes wait already: then it was not sent.
   */
  add(message: Message): Promise<void>;
  /**
   * Sends all of a source, pulling its next message when there is room. Resolves at its end; rejects as `add` does, or with
   * the source's own error, and then has returned the source's iterator. Does not close the channel.
   */
  addStream(source: MessageSource): Promise<void>;
  /**
   * Says goodbye: with no code, with 1000, or with one from 3000 to 4999; the reason has at most 123 bytes of UTF-8. Before
   * the channel is open it ends the attempt. Resolves, never rejects, when the channel is over: at the latest when the peer
   * did not answer for `closeTimeoutMs`. Throws `USAGE` at once, and does nothing, for other codes and reasons.
   */
  close(code?: number, reason?: string): Promise<ChannelEnd>;
  /** Resolves when the channel is over, as `channel.closed` does. */
  readonly done: Promise<ChannelEnd>;
}

export interface SinkOptions {
  readonly clock: Clock;
  /** Bytes in the platform's buffer above which `add` waits. */
  readonly highWaterBytes: number;
  /** Bytes that wait above which `add` refuses. */
  readonly sendBytesMax: number;
  readonly closed: Promise<ChannelEnd>;
  close(code: number | undefined, reason: string): void;
}

interface Waiting {
  readonly message: Message;
  readonly taken: Deferred<void>;
}

/** Between two looks at a platform's buffer that does not say when it drains, ms: two frames of a display. */
const LOOK_MS = 33;

const SENT: Promise<void> = Promise.resolve();

export class Outlet implements ChannelSink {
  readonly #options: SinkOptions;
  #socket: ClientSocket | undefined;
  /** Added before the channel was open. */
  #early: Waiting[] = [];
  #earlyBytes = 0;
  /** Handed over, waiting for room. */
  #crowded: Deferred<void>[] = [];
  #timer: unknown;
  #refusal: HoldfastError | undefined;
  readonly #pours = new Pours();

  constructor(options: SinkOptions) {
    this.#options = options;
  }

  get done(): Promise<ChannelEnd> {
    return this.#options.closed;
  }

  add(message: Message): Promise<void> {
    assertMessage(message);
    if (this.#refusal !== undefined) return refused(this.#refusal);
    const waitingBytes = this.#socket?.bufferedBytes ?? this.#earlyBytes;
    if (waitingBytes >= this.#options.sendBytesMax) {
      return refused(new HoldfastError('BUFFER_FULL', `${waitingBytes} bytes wait to be sent already`));
    }
    if (this.#socket !== undefined) return this.#hand(message);
    const taken = new Deferred<void>();
    // What the caller does to the bytes later must not show.
    this.#early.push({ message: typeof message === 'string' ? message : message.slice(), taken });
    this.#earlyBytes += message.length;
    return taken.promise;
  }

  addStream(source: MessageSource): Promise<void> {
    return ignorable(this.#pours.pour(source, (message) => this.add(message)));
  }

  close(code?: number, reason = ''): Promise<ChannelEnd> {
    assertClose(code, reason);
    this.#options.close(code, reason);
    return this.#options.closed;
  }

  /** The channel is open. */
  open(socket: ClientSocket): void {
    this.#socket = socket;
    const early = this.#early;
    this.#early = [];
    for (const { message, taken } of early)
      void this.#hand(message).then(
        () => taken.resolve(),
        (error: Error) => taken.reject(error),
      );
  }

  /** Nothing is accepted any more; what was handed over is still under way. */
  refuse(error: HoldfastError): void {
    if (this.#refusal !== undefined) return;
    this.#refusal = error;
    for (const { taken } of this.#early.splice(0)) taken.reject(error);
    this.#pours.stop(error);
  }

  /** The channel is over. `isClean`: the peer said goodbye after all that was sent before. */
  end(isClean: boolean): void {
    this.#options.clock.clearTimeout(this.#timer);
    for (const room of this.#crowded.splice(0)) {
      if (isClean) room.resolve();
      else room.reject(this.#refusal!);
    }
  }

  /** The platform's buffer may have room again. */
  look(): void {
    if (this.#crowded.length === 0) return;
    this.#options.clock.clearTimeout(this.#timer);
    if (this.#hasRoom()) for (const room of this.#crowded.splice(0)) room.resolve();
    else this.#timer = this.#options.clock.setTimeout(() => this.look(), LOOK_MS);
  }

  #hand(message: Message): Promise<void> {
    this.#socket!.send(message);
    if (this.#hasRoom()) return SENT;
    const room = new Deferred<void>();
    this.#crowded.push(room);
    if (this.#crowded.length === 1) this.#timer = this.#options.clock.setTimeout(() => this.look(), LOOK_MS);
    return room.promise;
  }

  #hasRoom(): boolean {
    return this.#socket!.bufferedBytes <= this.#options.highWaterBytes;
  }
}

function refused(error: HoldfastError): Promise<never> {
  return ignorable(Promise.reject(error));
}
