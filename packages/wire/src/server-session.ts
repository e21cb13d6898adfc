/**
 * The server's half of one connection as a machine without I/O, clock or randomness: frames in, legal messages or
 * violations out (PROTOCOL.md HF-3, HF-4). Who the client is and what it may do is decided elsewhere.
 *
 *   greeting --hello--> welcoming --welcomed()--> open --violation--> closed
 */

import { CLOSE_CODES } from './codes.ts';
import { frameSubject, isHelloFrame, parseClientFrame, type FrameSubject } from './client-frames.ts';
import { HoldfastError } from './error.ts';
import type { Limits } from './limits.ts';
import type { ClientMessage, ErrorMessage, RequestId } from './messages.ts';

/** HF-4.2. */
const ERROR_COUNT_MAX = 16;

export type ServerPhase = 'greeting' | 'welcoming' | 'open' | 'closed';

/**
 * What one frame amounts to. A violation with `close` ends the connection after its error is sent. `ignored`: the session
 * was over already; what a client sends then is neither carried out nor answered.
 */
export type Received =
  | { readonly kind: 'message'; readonly message: ClientMessage }
  | { readonly kind: 'violation'; readonly error: ErrorMessage; readonly close?: { readonly code: number; readonly reason: string } }
  | { readonly kind: 'ignored' };

export interface ServerSessionOptions {
  readonly limits: Limits;
  /** The topic that has a number on this node (HF-9.1). */
  readonly topicOf: (number: number) => string | undefined;
}

/** The `error` message for an error, with what it belongs to. `retryAfterMs` becomes a duration of HF-1.3, or is left out. */
export function errorMessage(
  error: HoldfastError,
  about: Omit<FrameSubject, 'id'> & { readonly id?: RequestId | undefined } = {},
): ErrorMessage {
  const { id, ...rest } = about;
  return {
    type: 'error',
    code: error.code,
    message: error.message,
    hint: error.hint,
    retryable: error.retryable,
    ...(Number.isFinite(error.retryAfterMs) ? { retryAfterMs: Math.max(0, Math.ceil(error.retryAfterMs!)) } : {}),
    ...(id === undefined ? {} : { id }),
    ...rest,
  };
}

export class ServerSession {
  readonly #limits: Limits;
  readonly #topicOf: (number: number) => string | undefined;
  #phase: ServerPhase = 'greeting';
  #errorCount = 0;

  constructor({ limits, topicOf }: ServerSessionOptions) {
    this.#limits = limits;
    this.#topicOf = topicOf;
  }

  get phase(): ServerPhase {
    return this.#phase;
  }

  /** After the hello was accepted and `welcome` sent. */
  welcomed(): void {
    if (this.#phase !== 'welcoming') throw new Error(`welcomed() in phase ${this.#phase}`);
    this.#phase = 'open';
  }

  close(): void {
    this.#phase = 'closed';
  }

  /** Takes one frame of the client. Never throws for anything that a client can send. */
  receive(frame: string | Uint8Array): Received {
    if (this.#phase === 'closed') return { kind: 'ignored' };
    let message: ClientMessage;
    try {
      message = parseClientFrame(frame, this.#limits, this.#topicOf);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return this.#refuse(error, frame);
    }
    const isHello = message.type === 'hello';
    if (this.#phase === 'greeting' && !isHello)
      return this.#end(new HoldfastError('HELLO_REQUIRED', `"${message.type}" before "hello"`), frame);
    if (this.#phase !== 'greeting' && isHello) return this.#end(new HoldfastError('HELLO_TWICE'), frame);
    if (isHello) this.#phase = 'welcoming';
    return { kind: 'message', message };
  }

  #refuse(error: HoldfastError, frame: string | Uint8Array): Received {
    if (this.#phase === 'greeting') {
      // Before the hello there is nobody to be patient with: a malformed hello is explained, then the connection ends.
      return this.#end(
        isHelloFrame(frame) ? error : new HoldfastError('HELLO_REQUIRED', `the first frame is not a hello: ${error.message}`),
        frame,
      );
    }
    this.#errorCount += 1;
    if (this.#errorCount > ERROR_COUNT_MAX) return this.#end(new HoldfastError('TOO_MANY_ERRORS'), frame);
    return { kind: 'violation', error: errorMessage(error, frameSubject(frame)) };
  }

  #end(error: HoldfastError, frame: string | Uint8Array): Received {
    this.#phase = 'closed';
    return {
      kind: 'violation',
      error: errorMessage(error, frameSubject(frame)),
      close: { code: CLOSE_CODES.PROTOCOL.code, reason: error.code },
    };
  }
}
