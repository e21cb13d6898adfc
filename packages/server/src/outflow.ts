/**
 * What one connection is about to send: frames of one turn of the event loop leave in one write, since it is the write
 * call that costs, not the frame. Frames are written raw (RFC 6455 section 5.2: never masked, never fragmented), always whole
 * and between those that `ws` writes itself, so that neither cuts into the other.
 */

import type { Duplex } from 'node:stream';
import { SharedFrame, type Frame, type SharedRun } from './shared-frame.ts';
import { deferToEnd } from './turn.ts';

/**
 * Up to here frames of a turn are copied into one piece, which those who have the same frames share: small ones up to the
 * larger bound. Beyond it copying costs more than a vector of pieces.
 */
const JOINED_BYTES_MAX = 65_536;
const JOINED_SMALL_BYTES_MAX = 1_048_576;
const SMALL_BYTES = 4_096;

const TEXT = 0x81;
const BINARY = 0x82;

/** Those that have something to send at the end of this turn. */
let due: Outflow[] = [];
/** What was joined last: in a fan-out the next connection has the same frames. */
let lastPieces: readonly Buffer[] = [];
let lastJoined: Buffer = Buffer.alloc(0);

function flushDue(): void {
  const flows = due;
  due = [];
  for (const flow of flows) flow.flush();
  lastPieces = [];
}

/** Where frames go: one connection. */
export interface Outlet {
  readonly stream: Duplex;
  /** Whether data may be sent now: not after a close frame (RFC 6455 section 5.5.1). */
  readonly isOpen: boolean;
  /** Called after a flush that left the stream ready for more. */
  onFlushed(): void;
}

export class Outflow {
  readonly #outlet: Outlet;
  /** One frame or more each. Only while something waits. */
  #pieces: Buffer[] | undefined;
  /** Of frames. */
  #count = 0;
  #bytes = 0;

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  /** Bytes that wait for the end of the turn. */
  get bytes(): number {
    return this.#bytes;
  }

  push(frame: Frame): void {
    this.#push(encoded(frame), 1);
  }

  pushRun(run: SharedRun): void {
    this.#push((run.prepared ??= encodeRun(run)) as Buffer, run.frames.length);
  }

  #push(piece: Buffer, count: number): void {
    this.#bytes += piece.length;
    this.#count += count;
    if (this.#pieces !== undefined) return void this.#pieces.push(piece);
    this.#pieces = [piece];
    if (due.push(this) === 1) deferToEnd(flushDue);
  }

  /** Writes now what waits. */
  flush(): void {
    const pieces = this.#pieces;
    if (pieces === undefined) return;
    const bytes = this.#bytes;
    const count = this.#count;
    this.drop();
    const { stream } = this.#outlet;
    if (!this.#outlet.isOpen || !stream.writable) return;
    if (pieces.length === 1) stream.write(pieces[0]);
    else if (isJoined(count, bytes)) stream.write(joined(pieces, bytes));
    else {
      stream.cork();
      for (const piece of pieces) stream.write(piece);
      stream.uncork();
    }
    if (!stream.writableNeedDrain) this.#outlet.onFlushed();
  }

  /** Forgets what waits. */
  drop(): void {
    this.#pieces = undefined;
    this.#count = this.#bytes = 0;
  }
}

function isJoined(count: number, bytes: number): boolean {
  return bytes <= JOINED_BYTES_MAX || (bytes <= JOINED_SMALL_BYTES_MAX && bytes <= count * SMALL_BYTES);
}

function joined(pieces: readonly Buffer[], bytes: number): Buffer {
  const isSame = pieces.length === lastPieces.length && pieces.every((piece, at) => piece === lastPieces[at]);
  if (!isSame) {
    lastPieces = pieces;
    lastJoined = Buffer.concat(pieces, bytes);
  }
  return lastJoined;
}

function encoded(frame: Frame): Buffer {
  if (!(frame instanceof SharedFrame)) return encode(frame);
  return (frame.prepared ??= encode(frame.content)) as Buffer;
}

function encode(content: string | Uint8Array): Buffer {
  const length = lengthOf(content);
  const frame = Buffer.allocUnsafe(headerBytes(length) + length);
  write(frame, 0, content, length);
  return frame;
}

/** All of them in one piece, without one for each. */
function encodeRun({ frames }: SharedRun): Buffer {
  let bytes = 0;
  for (const { content } of frames) {
    const length = lengthOf(content);
    bytes += headerBytes(length) + length;
  }
  const run = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { content } of frames) at = write(run, at, content, lengthOf(content));
  return run;
}

function lengthOf(content: string | Uint8Array): number {
  return typeof content === 'string' ? Buffer.byteLength(content) : content.length;
}

function headerBytes(length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10;
}

/** Writes one frame (RFC 6455 section 5.2), and returns where it ends. */
function write(to: Buffer, begin: number, content: string | Uint8Array, length: number): number {
  const isText = typeof content === 'string';
  const at = begin + headerBytes(length);
  to[begin] = isText ? TEXT : BINARY;
  if (length < 126) to[begin + 1] = length;
  else if (length < 65_536) {
    to[begin + 1] = 126;
    to.writeUInt16BE(length, begin + 2);
  } else {
    to[begin + 1] = 127;
    to.writeUInt32BE(0, begin + 2);
    to.writeUInt32BE(length, begin + 6);
  }
  if (isText) to.write(content, at);
  else to.set(content, at);
  return at + length;
}
