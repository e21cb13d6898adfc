/**
 * What a browser has of its own in place of `utf8.ts` and `base64.ts`, as strict as they are. Hermes lacks these, and a server
 * needs none of them. Sources: Encoding and HTML, of the WHATWG.
 */

import { HoldfastError } from './error.ts';

/** Of the platform; the package is compiled without its types. */
interface Platform {
  readonly TextEncoder: new () => { encode(text: string): Uint8Array };
  readonly TextDecoder: new (label: string, options: { fatal: boolean; ignoreBOM: boolean }) => { decode(bytes: Uint8Array): string };
  atob(text: string): string;
  btoa(binary: string): string;
}

const platform = globalThis as unknown as Platform;

export function encodeUtf8(text: string): Uint8Array {
  return new platform.TextEncoder().encode(text);
}

/** Throws `BAD_BINARY` for anything that is not well-formed UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new platform.TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new HoldfastError('BAD_BINARY', 'a string is not well-formed UTF-8');
  }
}

export function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return platform.btoa(binary);
}

/** Throws `BAD_FRAME` for anything that `encodeBase64` could not have written. */
export function decodeBase64(text: string): Uint8Array {
  try {
    const binary = platform.atob(text);
    // It forgives missing padding, white space and stray bits.
    if (platform.btoa(binary) === text) return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    // Said below.
  }
  throw new HoldfastError('BAD_FRAME', '"bytes": not canonical base64');
}
