/** A socket of the hub in memory, and what is seen on it: every frame of the server is held against the protocol. */

import { CLOSE_CODES, isErrorCode, parseServerFrame, type ServerMessage } from '@holdfast/wire';
import { SharedFrame, type Frame, type Socket, type SocketListener } from '@holdfast/server';
import { asError, demand } from './target.ts';

/** RFC 6455 section 7.4.1, and those of PROTOCOL.md HF-11.1. */
const CLOSES: ReadonlySet<number> = new Set([
  1000,
  1001,
  1002,
  1003,
  1006,
  1007,
  1008,
  1009,
  1011,
  ...Object.values(CLOSE_CODES).map(({ code }) => code),
]);

/** Says what is wrong with a frame of the server that is not one of the protocol's. */
export function messageOf(frame: string | Uint8Array): ServerMessage {
  const message = parseServerFrame(frame, (number) => `n${number}`);
  demand(message !== undefined, () => `the server says what the protocol does not know: ${String(frame).slice(0, 200)}`);
  if (message.type === 'error') demand(isErrorCode(message.code), () => `the error "${message.code}" is not documented`);
  return message;
}

export class Peer implements Socket {
  bufferedBytes = 0;
  readonly #onMessage: (message: ServerMessage, frame: string | Uint8Array) => void;
  readonly #isProtocol: boolean;
  #listener: SocketListener | undefined;
  #isGone = false;
  closed: number | undefined;
  /** What the server said that is no message of the protocol; told at the next `assertSound`, since a socket never throws. */
  #fault: Error | undefined;

  /** A plain client is told what the handler likes. */
  constructor(isProtocol: boolean, onMessage: (message: ServerMessage, frame: string | Uint8Array) => void) {
    this.#isProtocol = isProtocol;
    this.#onMessage = onMessage;
  }

  send(frame: Frame): void {
    if (this.closed !== undefined) return;
    const content = frame instanceof SharedFrame ? frame.content : frame;
    try {
      if (this.#isProtocol) this.#onMessage(messageOf(content), content);
    } catch (error) {
      this.#fault ??= asError(error);
    }
  }

  close(code: number, reason: string): void {
    if (!CLOSES.has(code) || Buffer.byteLength(reason) > 123) this.#fault ??= new Error(`close ${code} "${reason}" is not legal`);
    this.closed ??= code;
  }

  terminate(): void {
    this.closed ??= 1006;
  }

  limitArrival(): void {}

  listen(listener: SocketListener): void {
    this.#listener = listener;
  }

  /** A frame arrives, unless the connection is gone. */
  receive(frame: string | Uint8Array): void {
    if (!this.#isGone) this.#listener?.onFrame(frame);
  }

  drain(): void {
    this.bufferedBytes = 0;
    if (!this.#isGone) this.#listener?.onDrain();
  }

  drop(code = 1006): void {
    this.closed ??= code;
    if (!this.#isGone) this.#listener?.onClose(code, '');
    this.#isGone = true;
  }

  /** Throws what was wrong with what came so far. */
  assertSound(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }
}
