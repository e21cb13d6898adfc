/**
 * A payload as it is taken in: checked and copied once, so that what is sent, stored and sent again is the same whatever
 * the caller does to its object later (a resend with another payload would be `SEQ_CONFLICT`, HF-6.5).
 */

import { assertJson, utf8Length, type Data, type Json } from '@holdfast/wire';

/** A payload, and what it takes in a frame. */
export interface Payload {
  readonly data: Data;
  readonly sizeBytes: number;
}

/**
 * A copy of JSON or bytes. A property that is `undefined` is left out. `what` begins the message of an error.
 * Throws `USAGE` for what is not JSON, `TOO_DEEP` and `FORBIDDEN_KEY` as a server would (HF-4.1).
 */
export function copyPayload(what: string, data: Data, depthMax: number): Payload {
  if (data instanceof Uint8Array) return { data: new Uint8Array(data), sizeBytes: data.length };
  assertJson(what, data, depthMax);
  const text = JSON.stringify(data);
  return { data: JSON.parse(text) as Json, sizeBytes: utf8Length(text) };
}

/** What payloads take in one frame, bytes: alone, bytes travel as they are, within a list as base64 (HF-1.6). */
export function frameBytes(payloads: readonly Payload[]): number {
  const [only] = payloads;
  if (payloads.length === 1) return only!.sizeBytes;
  return payloads.reduce((sum, { data, sizeBytes }) => sum + (data instanceof Uint8Array ? Math.ceil(sizeBytes / 3) * 4 : sizeBytes), 0);
}
