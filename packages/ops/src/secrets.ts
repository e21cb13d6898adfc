/**
 * Takes out of text what would let somebody in: tokens, tickets, credentials in headers and addresses. It works on the
 * finished line, whatever put the text there, since an error of an application's hook may repeat what it could not read.
 * What has no shape (a password in a sentence) it cannot know.
 */

/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

/** Names of fields, headers and parameters whose values are secrets. */
export const SECRET_NAMES: readonly string[] = [
  'token',
  'access_token',
  'refresh_token',
  'id_token',
  'ticket',
  'secret',
  'password',
  'passphrase',
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'sec-websocket-protocol',
  'apiKey',
  'api_key',
];

const NAMES = SECRET_NAMES.join('|');

/** In this order: what names a secret first, then what looks like one. None of them takes a quote or a backslash that it did not open. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // A field of JSON, at any depth: a string, or a list without lists in it. Its end is optional only so that it is looked for once.
  [new RegExp(`"(${NAMES})":(?:"(?:[^"\\\\]|\\\\.)*"|\\[(?:[^\\]"]|"(?:[^"\\\\]|\\\\.)*")*\\]?)`, 'gi'), `"$1":"${REDACTED}"`],
  // The same inside of a string of JSON, where its quotes are escaped.
  [new RegExp(`\\\\"(${NAMES})\\\\":\\s*\\\\"(?:[^"\\\\]|\\\\\\\\.)*`, 'gi'), `\\"$1\\":\\"${REDACTED}`],
  // A header, to the end of its line.
  [/\b((?:proxy-)?authorization|(?:set-)?cookie|sec-websocket-protocol): ?[^"\\]*/gi, `$1: ${REDACTED}`],
  // A parameter of an address.
  [new RegExp(`([?&](?:${NAMES})=)[^&\\s"'\\\\#]*`, 'gi'), `$1${REDACTED}`],
  [/\b(Bearer|Basic)(?:\s+|%20|\+)[\w.~+/=%-]+/gi, `$1 ${REDACTED}`],
  [/\bholdfast\.token\.[\w.~%-]+/g, `holdfast.token.${REDACTED}`],
  [/hft_[\w-]+/g, `hft_${REDACTED}`],
  // A JWT, or its beginning: `{"` in base64 is `eyJ`.
  [/eyJ[\w-]*(?:(?:\.|%2E)[\w-]*)*/gi, REDACTED],
  // What else looks like a key or a signature: 32 characters of base64 and more, with letters of both cases and digits.
  [/(?<![\w-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{32,}={0,2}/g, REDACTED],
  // The same in hexadecimal, from 192 bits on: what is shorter names traces and commits.
  [/\b[\da-f]{48,}\b/gi, REDACTED],
];

/** The text without its secrets. JSON stays JSON. */
export function scrub(text: string): string {
  return PATTERNS.reduce((clean, [pattern, replacement]) => clean.replace(pattern, replacement), text);
}

/** An address without its query and fragment, which is where tokens stand. */
export function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '');
}
