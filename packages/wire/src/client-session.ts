/**
 * The client's half of one connection as a machine without I/O, clock or randomness: it encodes what is legal to send,
 * and checks that what arrives keeps the promise: no entry out of its place (PROTOCOL.md HF-5.3, HF-5.8).
 *
 *   greeting --hello--> welcoming --welcome--> open --close()--> closed
 */

import type { ErrorCode } from './codes.ts';
import { encodeClientMessage } from './client-frames.ts';
import { HoldfastError } from './error.ts';
import type {
  ClientMessage,
  EntryMessage,
  Gap,
  Hello,
  Position,
  RegisterMessage,
  RequestId,
  ServerMessage,
  Skip,
  Subscribed,
  SubscribeRequest,
  Unsubscribe,
} from './messages.ts';
import { parseServerFrame } from './server-frames.ts';

export type ClientPhase = 'greeting' | 'welcoming' | 'open' | 'closed';

/** One side broke the protocol. `remote`: the connection must be closed and begun anew. `local`: the caller's mistake. */
export class ProtocolError extends HoldfastError {
  readonly side: 'local' | 'remote';

  constructor(side: 'local' | 'remote', code: ErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause });
    this.name = 'ProtocolError';
    this.side = side;
  }
}

/** One subscription's reading place. A new subscription to the topic begins a new stream. */
interface Stream {
  readonly topic: string;
  /** Of the topic; -1 until `subscribed` tells it. */
  number: number;
  position: Position;
  /** Unsubscribed by the client: what is still under way may come. */
  isLeaving: boolean;
}

export class ClientSession {
  readonly #streams = new Map<string, Stream>();
  readonly #topics = new Map<number, string>();
  /** What was asked for, by the id of the subscription, until its answer. */
  readonly #asked = new Map<RequestId, { readonly stream: Stream; readonly wanted: Position | undefined }>();
  /** The streams to forget, by the id of the unsubscription, until its answer. */
  readonly #leaving = new Map<RequestId, readonly Stream[]>();
  #phase: ClientPhase = 'greeting';

  get phase(): ClientPhase {
    return this.#phase;
  }

  /** The first frame. Throws a local `ProtocolError` the second time. */
  hello(message: Hello): string {
    if (this.#phase !== 'greeting') throw new ProtocolError('local', 'HELLO_TWICE', `hello() in phase ${this.#phase}`);
    this.#phase = 'welcoming';
    for (const request of message.subscribe ?? []) this.#expect(request);
    return encodeClientMessage(message) as string;
  }

  /**
   * A frame for a message after the hello. Throws a local `ProtocolError` before it or after the end, and `USAGE` as
   * `encodeClientMessage`. The ids of requests that wait for their answers must differ.
   */
  send(message: Exclude<ClientMessage, Hello>): string | Uint8Array {
    if (this.#phase === 'greeting' || this.#phase === 'closed')
      throw new ProtocolError('local', 'HELLO_REQUIRED', `"${message.type}" in phase ${this.#phase}`);
    if (message.type === 'subscribe') this.#expect(message);
    if (message.type === 'unsubscribe') this.#leave(message);
    return encodeClientMessage(message, message.type === 'publish' ? this.#numberOf(message.topic) : undefined);
  }

  close(): void {
    this.#phase = 'closed';
  }

  /**
   * Takes one frame of the server: the message, or `undefined` for a type to be ignored and for anything after the end.
   * Throws a remote `ProtocolError` for what cannot be understood or does not follow its place; the session is closed then.
   */
  receive(frame: string | Uint8Array): ServerMessage | undefined {
    if (this.#phase === 'closed') return undefined;
    try {
      const message = parseServerFrame(frame, (number) => this.#topics.get(number));
      if (message !== undefined) this.#check(message);
      return message;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#phase = 'closed';
      if (error instanceof ProtocolError) throw error;
      throw new ProtocolError('remote', error.code, error.message, error);
    }
  }

  #check(message: ServerMessage): void {
    if (this.#phase === 'welcoming' && message.type === 'welcome') {
      this.#phase = 'open';
      return;
    }
    // A refusal or a beat may come in place of the welcome; anything else may not.
    const isEarly = this.#phase !== 'open' && message.type !== 'error' && message.type !== 'ping' && message.type !== 'goaway';
    if (isEarly || message.type === 'welcome') throw outOfOrder(`"${message.type}" in phase ${this.#phase}`);
    switch (message.type) {
      case 'subscribed':
        return this.#begin(message);
      case 'entry':
        return this.#advance(message);
      case 'skip':
        return this.#skip(message);
      case 'gap':
        return this.#jump(message);
      case 'register':
        return this.#revise(message);
      case 'reply':
        return this.#forget(message.id);
      case 'error':
        return this.#refused(message.id);
      default:
        // An answer to a publish, or beside the stream.
        return;
    }
  }

  #expect({ id, topic, position: wanted }: SubscribeRequest): void {
    this.#asked.set(id, { stream: newStream(topic), wanted });
  }

  /** HF-5.2: the place that was asked for, since whatever cannot be had is said by a gap. */
  #begin({ id, topic, number, position }: Subscribed): void {
    const { stream, wanted } = this.#asked.get(id) ?? { stream: newStream(topic), wanted: undefined };
    this.#asked.delete(id);
    if (wanted !== undefined && !isSamePlace(wanted, position))
      throw outOfOrder(`"subscribed" to "${topic}" at ${place(position)} where ${place(wanted)} was asked for`);
    const older = this.#streams.get(topic);
    if (older !== undefined) this.#topics.delete(older.number);
    stream.number = number;
    stream.position = position;
    this.#streams.set(topic, stream);
    this.#topics.set(number, topic);
  }

  /** A refused subscription has ended the older one of its topic as well (HF-5.1). */
  #refused(id: RequestId | undefined): void {
    const asked = id === undefined ? undefined : this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id!);
    const older = this.#streams.get(asked.stream.topic);
    if (older !== undefined) older.isLeaving = true;
  }

  /** A number is used only while the subscription that told it stands (HF-9.1): not while another is to replace it. */
  #numberOf(topic: string): number | undefined {
    const stream = this.#streams.get(topic);
    const isReplaced = [...this.#asked.values()].some((asked) => asked.stream.topic === topic);
    return stream === undefined || stream.isLeaving || isReplaced ? undefined : stream.number;
  }

  #leave({ topic, id }: Unsubscribe): void {
    const asked = [...this.#asked.values()].map(({ stream }) => stream);
    const leaving = [...this.#streams.values(), ...asked].filter((stream) => stream.topic === topic);
    for (const stream of leaving) stream.isLeaving = true;
    if (id !== undefined && leaving.length > 0) this.#leaving.set(id, leaving);
  }

  /** HF-5.11: nothing of the topic comes after the reply, unless it was subscribed anew. */
  #forget(id: RequestId): void {
    for (const stream of this.#leaving.get(id) ?? []) {
      if (this.#streams.get(stream.topic) !== stream) continue;
      this.#streams.delete(stream.topic);
      this.#topics.delete(stream.number);
    }
    this.#leaving.delete(id);
  }

  #stream(topic: string, what: string): Stream {
    const stream = this.#streams.get(topic);
    if (stream === undefined) throw outOfOrder(`${what} of "${topic}" before "subscribed"`);
    return stream;
  }

  #advance({ topic, offset }: EntryMessage): void {
    const stream = this.#stream(topic, 'an entry');
    if (offset !== stream.position.offset + 1)
      throw outOfOrder(`entry ${offset} of "${topic}" where ${stream.position.offset + 1} is next`);
    stream.position = { ...stream.position, offset };
  }

  #skip({ topic, first, last }: Skip): void {
    const stream = this.#stream(topic, 'a skip');
    if (first !== stream.position.offset + 1 || last < first)
      throw outOfOrder(`skip ${first} to ${last} of "${topic}" where ${stream.position.offset + 1} is next`);
    stream.position = { ...stream.position, offset: last };
  }

  #jump({ topic, reason, before, after }: Gap): void {
    const stream = this.#stream(topic, 'a gap');
    const { position } = stream;
    if (!isSamePlace(before, position)) throw outOfOrder(`a gap of "${topic}" from ${place(before)} where the place is ${place(position)}`);
    const isOlder = after.epoch === position.epoch && (after.offset < position.offset || after.revision < position.revision);
    if (isOlder && reason !== 'ahead') throw outOfOrder(`a gap of "${topic}" that leads back to ${place(after)} from ${place(position)}`);
    stream.position = after;
  }

  #revise({ topic, revision }: RegisterMessage): void {
    const stream = this.#stream(topic, 'a register');
    if (revision <= stream.position.revision)
      throw outOfOrder(`register revision ${revision} of "${topic}" after ${stream.position.revision}`);
    stream.position = { ...stream.position, revision };
  }
}

function newStream(topic: string): Stream {
  return { topic, number: -1, position: { epoch: '', offset: 0, revision: 0 }, isLeaving: false };
}

/** Whether two positions are at the same entry. Registers change beside the log and do not move the place in it. */
function isSamePlace(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.offset === b.offset;
}

function place({ epoch, offset, revision }: Position): string {
  return `${epoch}:${offset}:${revision}`;
}

function outOfOrder(message: string): ProtocolError {
  return new ProtocolError('remote', 'OUT_OF_ORDER', message);
}
