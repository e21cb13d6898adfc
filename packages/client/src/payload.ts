/**
 * A payload as it is taken in: checked and copied once, so that what is sent, stored and sent again is the same whatever
 * the caller does to its object later (a resend with another payload would be `SEQ_CONFLICT`, HF-6.5).
 */

import { assertJson, HoldfastError, utf8Length, type Data, type Json, type Limits } from '@holdfast/wire';

/** What a frame holds beside the payloads at the most, bytes: the names, the numbers, the punctuation of 256 items. */
export const FRAME_OVERHEAD_BYTES = 4_096;

/** What a frame holds beside the payloads at the most, keys: those of a `publish`. */
export const FRAME_KEYS = 8;

/** A payload, and what it takes in a frame. */
export interface Payload {
  readonly data: Data;
  readonly sizeBytes: number;
  /** Keys and items of the JSON. */
  readonly keysCount: number;
}

/**
 * A copy of JSON or bytes. A property that is `undefined` is left out. `what` begins the message of an error.
 * Throws `USAGE` for what is not JSON, `TOO_DEEP`, `TOO_MANY_KEYS` and `FORBIDDEN_KEY` as a server would (HF-4.1).
 */
export function copyPayload(what: string, data: Data, depthMax: number, keysMax: number): Payload {
  if (data instanceof Uint8Array) return { data: new Uint8Array(data), sizeBytes: data.length, keysCount: 0 };
  const keysCount = assertJson(what, data, depthMax, keysMax);
  const text = JSON.stringify(data);
  return { data: JSON.parse(text) as Json, sizeBytes: utf8Length(text), keysCount };
}

/** Asserts that a value is JSON and fits into a frame beside the message's other fields. Throws as `copyPayload`, and `TOO_LARGE`. */
export function assertFrameJson(what: string, value: unknown, { depthMax, keysMax, frameBytesMax }: Limits): void {
  // The frame is a level of its own.
  assertJson(what, value, depthMax - 1, keysMax - FRAME_KEYS);
  const text = JSON.stringify(value);
  const roomBytes = frameBytesMax - FRAME_OVERHEAD_BYTES;
  // No character takes more than three bytes for each of its units.
  if (text.length * 3 > roomBytes && utf8Length(text) > roomBytes)
    throw new HoldfastError('TOO_LARGE', `${what}: more than ${roomBytes} bytes`);
}

/** What payloads take in one frame, bytes: alone, bytes travel as they are, within a list as base64 (HF-1.6). */
export function frameBytes(payloads: readonly Payload[]): number {
  const [only] = payloads;
  if (payloads.length === 1) return only!.sizeBytes;
  return payloads.reduce((sum, { data, sizeBytes }) => sum + (data instanceof Uint8Array ? Math.ceil(sizeBytes / 3) * 4 : sizeBytes), 0);
}
