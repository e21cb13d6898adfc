/** How a payload travels inside JSON: `data`, or `bytes` in base64 (PROTOCOL.md HF-1.6). */

import { decodeBase64, encodeBase64 } from '#codecs';
import { HoldfastError } from './error.ts';
import { isJsonObject, type Json } from './json.ts';
import type { Data } from './messages.ts';

/** `{data}` or `{bytes}`, to be spread into a message. */
export function payloadFields(data: Data): { readonly data: Json } | { readonly bytes: string } {
  return data instanceof Uint8Array ? { bytes: encodeBase64(data) } : { data };
}

/** Throws `BAD_FRAME` if there is not exactly one of the two. */
export function payloadOf(what: string, object: Json): Data {
  const { data, bytes } = isJsonObject(object) ? object : {};
  if ((data === undefined) === (bytes === undefined)) throw new HoldfastError('BAD_FRAME', `${what}: want either "data" or "bytes"`);
  if (data !== undefined) return data;
  if (typeof bytes !== 'string') throw new HoldfastError('BAD_FRAME', `${what}: "bytes": want base64`);
  return decodeBase64(bytes);
}
