/** The binary frames (PROTOCOL.md HF-9): a kind byte, varints, short strings, then raw bytes to the end of the frame. */

import { HoldfastError } from './error.ts';
import { decodeUtf8, encodeUtf8 } from '#codecs';

const KIND_PUBLISH = 0x01;
const KIND_ENTRY = 0x02;

/** A publish of bytes. Exactly one of `number` (above 0) and `topic` is used: a number of 0 means that the name follows. */
export interface BinaryPublish {
  readonly number: number;
  readonly topic?: string;
  readonly producer: string;
  readonly seq: number;
  readonly epoch?: string;
  readonly ifHead?: number;
  readonly bytes: Uint8Array;
}

/** An entry that carries bytes; the same frame for every subscriber of a node (HF-9.1). */
export interface BinaryEntry {
  readonly number: number;
  readonly offset: number;
  readonly seq: number;
  readonly at: number;
  readonly producer: string;
  readonly from: string;
  readonly bytes: Uint8Array;
}

/** Throws `USAGE` for a number that no varint can hold, such as an `ifHead` of 2^53 - 1. */
export function encodeBinaryPublish(publish: BinaryPublish): Uint8Array {
  const writer = new Writer(KIND_PUBLISH);
  writer.varint(publish.topic === undefined ? publish.number : 0);
  if (publish.topic !== undefined) writer.text(publish.topic);
  writer.text(publish.producer);
  writer.varint(publish.seq);
  writer.text(publish.epoch ?? '');
  writer.varint(publish.ifHead === undefined ? 0 : publish.ifHead + 1);
  return writer.finish(publish.bytes);
}

/** Throws `USAGE` for a number that no varint can hold. Lone surrogates in `from` become U+FFFD. */
export function encodeBinaryEntry(entry: BinaryEntry): Uint8Array {
  const writer = new Writer(KIND_ENTRY);
  writer.varint(entry.number);
  writer.varint(entry.offset);
  writer.varint(entry.seq);
  writer.varint(entry.at);
  writer.text(entry.producer);
  writer.text(entry.from);
  return writer.finish(entry.bytes);
}

/** Throws `BAD_BINARY`. The bytes are a copy: the frame may be reused. */
export function decodeBinaryPublish(frame: Uint8Array): BinaryPublish {
  const reader = new Reader(frame, KIND_PUBLISH);
  const number = reader.varint();
  const topic = number === 0 ? reader.text() : undefined;
  const producer = reader.text();
  const seq = reader.varint();
  const epoch = reader.text();
  const ifHead = reader.varint();
  return {
    number,
    ...(topic === undefined ? {} : { topic }),
    producer,
    seq,
    ...(epoch === '' ? {} : { epoch }),
    ...(ifHead === 0 ? {} : { ifHead: ifHead - 1 }),
    bytes: reader.rest(),
  };
}

/** Throws `BAD_BINARY`. The bytes are a copy: the frame may be reused. */
export function decodeBinaryEntry(frame: Uint8Array): BinaryEntry {
  const reader = new Reader(frame, KIND_ENTRY);
  return {
    number: reader.varint(),
    offset: reader.varint(),
    seq: reader.varint(),
    at: reader.varint(),
    producer: reader.text(),
    from: reader.text(),
    bytes: reader.rest(),
  };
}

class Writer {
  readonly #head: number[];

  constructor(kind: number) {
    this.#head = [kind];
  }

  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new HoldfastError('USAGE', `${value} is not an integer from 0 to 2^53 - 1`);
    while (value > 127) {
      this.#head.push((value % 128) | 128);
      value = Math.floor(value / 128);
    }
    this.#head.push(value);
  }

  text(value: string): void {
    const bytes = encodeUtf8(value);
    this.varint(bytes.length);
    for (const byte of bytes) this.#head.push(byte);
  }

  finish(bytes: Uint8Array): Uint8Array {
    const frame = new Uint8Array(this.#head.length + bytes.length);
    frame.set(this.#head);
    frame.set(bytes, this.#head.length);
    return frame;
  }
}

class Reader {
  readonly #frame: Uint8Array;
  #at = 1;

  constructor(frame: Uint8Array, kind: number) {
    if (frame[0] !== kind) throw new HoldfastError('BAD_BINARY', `a binary frame of kind ${frame[0] ?? 'none'} where ${kind} is expected`);
    this.#frame = frame;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let step = 0; step < 8; step++) {
      const byte = this.#frame[this.#at++];
      if (byte === undefined) throw new HoldfastError('BAD_BINARY', 'the frame ends within a number');
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw new HoldfastError('BAD_BINARY', 'a number is above 2^53 - 1');
  }

  text(): string {
    const length = this.varint();
    if (length > this.#frame.length - this.#at) throw new HoldfastError('BAD_BINARY', 'the frame ends within a string');
    this.#at += length;
    return decodeUtf8(this.#frame.subarray(this.#at - length, this.#at));
  }

  rest(): Uint8Array {
    return this.#frame.slice(this.#at);
  }
}
