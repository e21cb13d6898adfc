/** UTF-8 by hand: ECMAScript itself has no codec, and Hermes has no `TextDecoder`. For the short strings in binary frames. */

import { HoldfastError } from './error.ts';

/** Lone surrogates become U+FFFD, as in `TextEncoder`. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    let point = character.codePointAt(0)!;
    if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    else bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
  }
  return Uint8Array.from(bytes);
}

/** How many bytes `encodeUtf8` would write. */
export function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const point = character.codePointAt(0)!;
    length += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return length;
}

/** Strict: throws `BAD_BINARY` for anything that is not well-formed UTF-8 (RFC 3629). */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at]!;
    if (first < 0x80) {
      text += String.fromCharCode(first);
      at += 1;
      continue;
    }
    const more = first >= 0xf0 && first <= 0xf4 ? 3 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xc2 && first < 0xe0 ? 1 : 0;
    let point = more === 3 ? first & 7 : more === 2 ? first & 15 : first & 31;
    for (let step = 1; step <= more; step++) {
      const next = bytes[at + step] ?? 0;
      if ((next & 0xc0) !== 0x80) throw malformed();
      point = (point << 6) | (next & 63);
    }
    const isOverlong = (more === 2 && point < 0x800) || (more === 3 && point < 0x10000);
    if (more === 0 || isOverlong || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) throw malformed();
    text += String.fromCodePoint(point);
    at += more + 1;
  }
  return text;
}

function malformed(): HoldfastError {
  return new HoldfastError('BAD_BINARY', 'a string is not well-formed UTF-8');
}
