/** Base64 (RFC 4648 section 4, with padding). Written out because neither ECMAScript nor Hermes has it. */

import { HoldfastError } from './error.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Int8Array(128).fill(-1);
for (let at = 0; at < 64; at++) VALUES[ALPHABET.charCodeAt(at)] = at;

export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const word = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += ALPHABET[word >> 18]! + ALPHABET[(word >> 12) & 63]!;
    text += left > 1 ? ALPHABET[(word >> 6) & 63]! : '=';
    text += left > 2 ? ALPHABET[word & 63]! : '=';
  }
  return text;
}

/** Throws `BAD_FRAME` for anything that `encodeBase64` could not have written. */
export function decodeBase64(text: string): Uint8Array {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if (text.length % 4 !== 0) throw new HoldfastError('BAD_FRAME', '"bytes": the length of base64 is a multiple of 4');
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let out = 0;
  for (let at = 0; at < text.length; at += 4) {
    let word = 0;
    for (let digit = 0; digit < 4; digit++) {
      const isPadding = at + digit >= text.length - padding;
      const value = isPadding ? 0 : (VALUES[text.charCodeAt(at + digit)] ?? -1);
      if (value < 0) throw new HoldfastError('BAD_FRAME', '"bytes": not base64');
      word = (word << 6) | value;
    }
    const left = bytes.length - out;
    bytes[out++] = word >> 16;
    if (left > 1) bytes[out++] = (word >> 8) & 255;
    if (left > 2) bytes[out++] = word & 255;
  }
  // A canonical text decodes to itself: bits under the padding must be zero.
  if (padding > 0 && encodeBase64(bytes.subarray(bytes.length - (3 - padding))) !== text.slice(-4))
    throw new HoldfastError('BAD_FRAME', '"bytes": not canonical base64');
  return bytes;
}
