/**
 * The client's half of one connection as a machine without I/O, clock or randomness: it encodes what is legal to send,
 * and checks that what arrives keeps the promise: no entry out of its place (PROTOCOL.md HF-5.3, HF-5.8).
 *
 *   greeting --hello--> welcoming --welcome--> open --close()--> closed
 */

import type { ErrorCode } from './codes.ts';
import { encodeClientMessage } from './client-frames.ts';
import { HoldfastError } from './error.ts';
import type { ClientMessage, EntryMessage, Gap, Hello, Position, RegisterMessage, ServerMessage, Skip, Subscribed } from './messages.ts';
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

interface Stream {
  readonly number: number;
  position: Position;
}

export class ClientSession {
  readonly #streams = new Map<string, Stream>();
  readonly #topics = new Map<number, string>();
  #phase: ClientPhase = 'greeting';

  get phase(): ClientPhase {
    return this.#phase;
  }

  /** The first frame. Throws a local `ProtocolError` the second time. */
  hello(message: Hello): string {
    if (this.#phase !== 'greeting') throw new ProtocolError('local', 'HELLO_TWICE', `hello() in phase ${this.#phase}`);
    this.#phase = 'welcoming';
    return encodeClientMessage(message) as string;
  }

  /** A frame for a message after the hello. Throws a local `ProtocolError` before it or after the end. */
  send(message: Exclude<ClientMessage, Hello>): string | Uint8Array {
    if (this.#phase === 'greeting' || this.#phase === 'closed') throw new ProtocolError('local', 'HELLO_REQUIRED', `"${message.type}" in phase ${this.#phase}`);
    return encodeClientMessage(message, message.type === 'publish' ? this.#streams.get(message.topic)?.number : undefined);
  }

  close(): void {
    this.#phase = 'closed';
  }

  /**
   * Takes one frame of the server: the message, or `undefined` for a type to be ignored. Throws a remote `ProtocolError`
   * for what cannot be understood or does not follow its place; the session is closed then.
   */
  receive(frame: string | Uint8Array): ServerMessage | undefined {
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
      case 'ack':
      case 'reply':
      case 'signal':
      case 'presence':
      case 'error':
      case 'goaway':
      case 'ping':
      case 'pong':
        return;
    }
  }

  #begin({ topic, number, position }: Subscribed): void {
    this.#streams.set(topic, { number, position });
    this.#topics.set(number, topic);
  }

  #stream(topic: string, what: string): Stream {
    const stream = this.#streams.get(topic);
    if (stream === undefined) throw outOfOrder(`${what} of "${topic}" before "subscribed"`);
    return stream;
  }

  #advance({ topic, offset }: EntryMessage): void {
    const stream = this.#stream(topic, 'an entry');
    if (offset !== stream.position.offset + 1) throw outOfOrder(`entry ${offset} of "${topic}" where ${stream.position.offset + 1} is next`);
    stream.position = { ...stream.position, offset };
  }

  #skip({ topic, first, last }: Skip): void {
    const stream = this.#stream(topic, 'a skip');
    if (first !== stream.position.offset + 1 || last < first) throw outOfOrder(`skip ${first} to ${last} of "${topic}" where ${stream.position.offset + 1} is next`);
    stream.position = { ...stream.position, offset: last };
  }

  #jump({ topic, after }: Gap): void {
    const stream = this.#stream(topic, 'a gap');
    const isBackwards = after.epoch === stream.position.epoch && after.offset < stream.position.offset;
    if (isBackwards) throw outOfOrder(`a gap of "${topic}" that leads back to ${after.offset} from ${stream.position.offset}`);
    stream.position = after;
  }

  #revise({ topic, revision }: RegisterMessage): void {
    const stream = this.#stream(topic, 'a register');
    if (revision <= stream.position.revision) throw outOfOrder(`register revision ${revision} of "${topic}" after ${stream.position.revision}`);
    stream.position = { ...stream.position, revision };
  }
}

function outOfOrder(message: string): ProtocolError {
  return new ProtocolError('remote', 'OUT_OF_ORDER', message);
}
